"""Codecs and their ways of coding pictures."""

from video_corpus.containers import CIF, FRAME_S, SITING
from video_corpus.entry import Entry
from video_corpus.fields import field_coded
from video_corpus.writing import TIMES, Film, but, film

X265 = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=error:pools=1:frame-threads=1"
SHORT = TIMES[:25]
SCREEN = (128, 64)

ENTRIES = [
    Entry(
        "h264-pyramid.mp4",
        "H.264 whose B-frames build on B-frames",
        film("-c:v libx264 -preset medium -bf 8 -b_strategy 2 -g 50"),
    ),
    Entry(
        "h264-open-gop.mp4",
        "H.264 with open groups of pictures",
        film("-c:v libx264 -preset veryfast -bf 3 -g 12 -x264-params open-gop=1:scenecut=0"),
    ),
    Entry(
        "h264-open-gop.ts",
        "the same in a transport stream",
        film("-c:v libx264 -preset veryfast -bf 3 -g 12 -x264-params open-gop=1:scenecut=0"),
    ),
    Entry("h264-intra.mov", "H.264, every picture a key picture", film("-c:v libx264 -preset veryfast -g 1")),
    Entry(
        "h264-refresh.mp4",
        "H.264 refreshed little by little, one key picture only",
        film("-c:v libx264 -preset veryfast -x264-params intra-refresh=1:keyint=25"),
    ),
    Entry(
        "h264-baseline.mp4",
        "H.264 baseline, pictures in several slices",
        film("-c:v libx264 -profile:v baseline -preset veryfast -x264-params slices=4"),
    ),
    Entry(
        "h264-mbaff.mp4",
        "H.264 interlaced (MBAFF)",
        film("-c:v libx264 -preset veryfast -bf 2 -x264-params interlaced=1"),
    ),
    Entry(
        "h264-mbaff.ts",
        "the same in a transport stream",
        film("-c:v libx264 -preset veryfast -bf 2 -x264-params interlaced=1"),
    ),
    Entry("h264-paff.ts", "H.264 by fields (PAFF), a packet a field", field_coded()),
    Entry("h264-paff.m2ts", "the same as camcorders write it", field_coded()),
    Entry("h264-paff.mkv", "the same in Matroska", field_coded()),
    Entry("h264-paff.mp4", "the same in MP4", field_coded()),
    Entry("h264-10bit.mkv", "H.264 with 10 bits", film("-c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p10le")),
    Entry("h264-422.mov", "H.264 4:2:2", film("-c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv422p")),
    Entry(
        "h264-444.mkv",
        "H.264 4:4:4, lossless",
        film("-c:v libx264 -preset veryfast -qp 0 -pix_fmt yuv444p"),
        levels=SITING,
    ),
    Entry("h264-rgb.mkv", "H.264 in RGB", film("-c:v libx264rgb -preset veryfast -qp 0 -pix_fmt rgb24"), rgb=True),
    Entry(
        "h264-full-range.mp4",
        "H.264 with all 256 levels",
        film("-c:v libx264 -preset veryfast -vf scale=out_range=full -pix_fmt yuv420p -color_range pc"),
    ),
    Entry(
        "h264-bt709.mp4",
        "H.264 marked as BT.709",
        film(
            "-c:v libx264 -preset veryfast -vf scale=out_color_matrix=bt709"
            " -colorspace bt709 -color_primaries bt709 -color_trc bt709"
        ),
    ),
    Entry("h264-gray.mp4", "H.264 without colour", film("-c:v libx264 -preset veryfast -pix_fmt gray"), rgb=True),
    Entry("h265.mp4", "H.265 with B-frames", film(f"{X265} -bf 3")),
    Entry(
        "h265-open-gop.mp4",
        "H.265 with open groups of pictures (CRA, RASL)",
        film(
            "-c:v libx265 -preset fast -tag:v hvc1 -x265-params log-level=error:pools=1:frame-threads=1"
            ":open-gop=1:keyint=12:min-keyint=12:bframes=4:scenecut=0"
        ),
    ),
    Entry("h265-10bit.mkv", "H.265 with 10 bits", film(f"{X265} -pix_fmt yuv420p10le")),
    Entry("h265.ts", "H.265 in a transport stream", film(X265.replace("-tag:v hvc1 ", ""))),
    Entry("vvc.mp4", "H.266", film("-c:v libvvenc -preset faster", SHORT)),
    Entry("av1.mp4", "AV1, frames in layers", film("-c:v libsvtav1 -preset 10 -svtav1-params lp=1")),
    Entry(
        "av1-hidden.webm",
        "AV1 with pictures that are hidden and shown later",
        film("-c:v libaom-av1 -cpu-used 8 -lag-in-frames 25 -auto-alt-ref 1 -row-mt 0"),
    ),
    Entry(
        "av1-10bit.mkv", "AV1 with 10 bits", film("-c:v libsvtav1 -preset 10 -svtav1-params lp=1 -pix_fmt yuv420p10le")
    ),
    Entry(
        "av1-screen.mp4",
        "AV1 with tools for screens, 4:4:4",
        film("-c:v libaom-av1 -cpu-used 8 -pix_fmt yuv444p -aom-params tune-content=screen", SHORT),
    ),
    Entry(
        "vp8-hidden.webm",
        "VP8 with hidden pictures",
        film("-c:v libvpx -b:v 1M -auto-alt-ref 1 -lag-in-frames 16 -arnr-maxframes 7"),
    ),
    Entry(
        "vp9-hidden.webm",
        "VP9 with hidden pictures in superframes",
        film("-c:v libvpx-vp9 -b:v 1M -auto-alt-ref 6 -lag-in-frames 25 -cpu-used 4 -row-mt 0"),
    ),
    Entry(
        "vp9-hidden.mp4",
        "the same in MP4",
        film("-c:v libvpx-vp9 -b:v 1M -auto-alt-ref 6 -lag-in-frames 25 -cpu-used 4 -row-mt 0"),
    ),
    Entry(
        "vp9-444.webm",
        "VP9 4:4:4 with 10 bits",
        film("-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -pix_fmt yuv444p10le"),
    ),
    Entry(
        "vp9-alpha.webm",
        "VP9 with transparency beside",
        film("-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -auto-alt-ref 0 -pix_fmt yuva420p"),
    ),
    Entry(
        "mpeg2-interlaced.ts",
        "MPEG-2 interlaced",
        film("-c:v mpeg2video -bf 2 -q:v 3 -flags +ildct+ilme -alternate_scan 1"),
    ),
    Entry("mpeg2-422.mxf", "MPEG-2 4:2:2", film("-c:v mpeg2video -bf 2 -q:v 3 -pix_fmt yuv422p"), levels=SITING),
    Entry("mpeg4-b.mp4", "MPEG-4 with B-frames", film("-c:v mpeg4 -q:v 3 -bf 2")),
    Entry(
        "mpeg4-b.avi", "the same in AVI, which has no stamps for them", film("-c:v mpeg4 -q:v 3 -bf 2", late_s=FRAME_S)
    ),
    Entry(
        "xvid-packed.avi",
        "Xvid with packed B-frames: two pictures in one packet, none in the next",
        but(
            film("-c:v libxvid -q:v 2 -bf 1 -g 300", late_s=2 * FRAME_S),
            lambda shown: Film(shown.times_s[:-1], shown.clocks_s[:48] + shown.clocks_s[49:]),
        ),
    ),
    Entry("h263.avi", "H.263", film("-c:v h263 -q:v 9", size=CIF)),
    Entry("h261.mkv", "H.261", film("-c:v h261 -q:v 9", size=CIF)),
    Entry("mjpeg.avi", "Motion JPEG, as cameras write it", film("-c:v mjpeg -q:v 3 -pix_fmt yuvj422p")),
    Entry("mjpeg.mov", "Motion JPEG in QuickTime", film("-c:v mjpeg -q:v 3")),
    Entry("jpeg2000.mxf", "JPEG 2000, as in a cinema", film("-c:v jpeg2000 -q:v 3 -pix_fmt yuv422p", SHORT)),
    Entry("prores.mov", "ProRes 422", film("-c:v prores_ks -profile:v 2")),
    Entry(
        "prores-4444.mov",
        "ProRes 4444 with transparency",
        film("-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le"),
        rgb=True,
    ),
    Entry("dnxhr.mov", "DNxHR", film("-c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p", SHORT, size=(256, 144))),
    Entry("cineform.mov", "CineForm", film("-c:v cfhd", SHORT)),
    Entry("ffv1-10bit.mkv", "FFV1 with 10 bits", film("-c:v ffv1 -level 3 -pix_fmt yuv422p10le")),
    Entry("huffyuv.avi", "HuffYUV", film("-c:v huffyuv -pix_fmt yuv422p")),
    Entry("utvideo.avi", "Ut Video in RGB", film("-c:v utvideo -pix_fmt gbrp"), rgb=True),
    Entry("raw.avi", "plain BGR pictures", film("-c:v rawvideo -pix_fmt bgr24", SHORT), rgb=True),
    Entry("raw-uyvy.mov", "plain 4:2:2 pictures", film("-c:v rawvideo -pix_fmt uyvy422", SHORT), rgb=True),
    Entry("raw-i420.mkv", "plain 4:2:0 pictures", film("-c:v rawvideo", SHORT)),
    Entry("dnxhr.mxf", "DNxHR in MXF", film("-c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p", SHORT, size=(256, 144))),
    Entry("v210.mov", "plain 4:2:2 pictures of 10 bits", film("-c:v v210", SHORT, size=(192, 96))),
    Entry("wmv1.wmv", "WMV 7", film("-c:v wmv1 -q:v 3")),
    Entry("rv10.rm", "RealVideo 1", film("-c:v rv10 -q:v 9", size=CIF)),
    Entry("sorenson1.mov", "Sorenson Video 1", film("-c:v svq1 -q:v 1", SHORT, seed=1)),
    Entry("cinepak.avi", "Cinepak", film("-c:v cinepak", TIMES[:10], size=SCREEN), rgb=True),
    Entry("animation.mov", "QuickTime Animation", film("-c:v qtrle -pix_fmt rgb24", SHORT), rgb=True),
    Entry("zmbv.avi", "DOSBox's screen recordings", film("-c:v zmbv -pix_fmt bgr0", SHORT), rgb=True),
    Entry("flashsv.flv", "Flash Screen Video", film("-c:v flashsv"), rgb=True),
    Entry("png.mov", "PNGs", film("-c:v png", SHORT), rgb=True),
    Entry("msvideo1.avi", "Microsoft Video 1", film("-c:v msvideo1", SHORT), rgb=True),
    Entry("dirac.mkv", "VC-2 (Dirac)", film("-c:v vc2 -pix_fmt yuv422p", SHORT)),
]
