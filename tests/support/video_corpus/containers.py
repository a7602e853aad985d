"""Containers, each with what is usually found in it."""

from video_corpus.entry import Entry
from video_corpus.writing import TIMES, film

X264 = "-c:v libx264 -preset veryfast -g 25 -bf 2"
AAC, MP2, AC3, MP3 = "-c:a aac", "-c:a mp2", "-c:a ac3", "-c:a libmp3lame"
CIF = (176, 144)  # what H.263 knows; its coefficients reach from black to white from a quantiser of 8 on
PAL = (720, 576)
FRAME_S = 0.04
SITING = 1.2  # levels: the two scalers differ over where the colour of several pixels lies between them

ENTRIES = [
    Entry("h264-aac.mp4", "MP4: H.264 with B-frames, AAC", film(X264, sound=AAC), sound=True),
    Entry("faststart.mp4", "MP4 with its index first", film(f"{X264} -movflags +faststart", sound=AAC), sound=True),
    Entry(
        "fragments.mp4",
        "fragmented MP4",
        film(f"{X264} -movflags +frag_keyframe+empty_moov", sound=AAC, late_s=2 * FRAME_S),
        sound=True,
    ),
    Entry(
        "cmaf.mp4",
        "MP4 as DASH and HLS send it: a fragment a picture, negative offsets",
        film(f"{X264} -movflags +frag_every_frame+cmaf+delay_moov"),
    ),
    Entry("h264-aac.mov", "QuickTime", film(X264, sound=AAC), sound=True),
    Entry(
        "phone.3gp",
        "3GP: H.263, AMR",
        film("-c:v h263 -q:v 9", size=CIF, sound="-c:a libopencore_amrnb -ar 8000 -ac 1"),
        sound=True,
    ),
    Entry("phone.3g2", "3G2: MPEG-4, AAC", film("-c:v mpeg4 -q:v 3", sound=AAC), sound=True),
    Entry("h264-flac.mkv", "Matroska", film(X264, sound="-c:a flac"), sound=True),
    Entry(
        "h264-aac.mkv",
        "Matroska whose sound starts before its pictures",
        film(X264, sound=AAC, late_s=0.019),
        sound=True,
    ),
    Entry(
        "live.mkv",
        "Matroska as it is streamed: no lengths, no index",
        film(f"{X264} -live 1", sound="-c:a flac"),
        sound=True,
    ),
    Entry(
        "vp8-vorbis.webm",
        "WebM: VP8, Vorbis",
        film("-c:v libvpx -b:v 1M -deadline realtime", sound="-c:a libvorbis"),
        sound=True,
    ),
    Entry(
        "vp9-opus.webm",
        "WebM: VP9, Opus",
        film("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 30", sound="-c:a libopus"),
        sound=True,
    ),
    Entry("mpeg4-mp2.avi", "AVI: MPEG-4, MP2", film("-c:v mpeg4 -q:v 3", sound=MP2), sound=True),
    Entry(
        "h264.avi",
        "AVI with H.264 and B-frames, for which it has no stamps",
        film(f"{X264} -vtag H264", late_s=2 * FRAME_S),
    ),
    Entry(
        "opendml.avi",
        "AVI that holds its index in pieces (OpenDML)",
        film("-c:v mpeg4 -q:v 3 -reserve_index_space 4096"),
    ),
    Entry("h264-aac.flv", "Flash video: H.264, AAC", film(X264, sound=AAC, late_s=FRAME_S), sound=True),
    Entry(
        "sorenson-mp3.flv",
        "Flash video: Sorenson H.263, MP3",
        film("-c:v flv -q:v 3", sound=f"{MP3} -ar 44100", late_s=FRAME_S),
        sound=True,
    ),
    Entry("h264-aac.f4v", "F4V", film(X264, sound=AAC, late_s=FRAME_S), sound=True),
    Entry("sorenson.swf", "Flash animation with a video in it", film("-c:v flv -q:v 3")),
    Entry(
        "wmv2-wma.wmv",
        "Windows Media: WMV 8, WMA",
        film("-c:v wmv2 -q:v 3", sound="-c:a wmav2", late_s=FRAME_S),
        sound=True,
    ),
    Entry("msmpeg4.asf", "ASF: Microsoft's MPEG-4 v3", film("-c:v msmpeg4 -q:v 3")),
    Entry(
        "theora-vorbis.ogv", "Ogg: Theora, Vorbis", film("-c:v libtheora -q:v 8", sound="-c:a libvorbis"), sound=True
    ),
    Entry("vp8.ogg", "Ogg with VP8", film("-c:v libvpx -b:v 1M -deadline realtime -f ogg")),
    Entry("h264-aac.ts", "MPEG transport stream: H.264, AAC", film(X264, sound=AAC, late_s=FRAME_S), sound=True),
    Entry(
        "mpeg2-mp2.ts",
        "transport stream as DVB sends it: MPEG-2, MP2",
        film("-c:v mpeg2video -bf 2 -q:v 3", sound=MP2),
        sound=True,
    ),
    Entry(
        "h264-ac3.m2ts", "transport stream of Blu-ray and AVCHD (192 bytes a packet)", film(X264, sound=AC3), sound=True
    ),
    Entry(
        "mpeg1-mp2.mpg", "MPEG program stream: MPEG-1, MP2", film("-c:v mpeg1video -bf 2 -q:v 3", sound=MP2), sound=True
    ),
    Entry(
        "mpeg2-ac3.vob", "VOB, as on a DVD: MPEG-2, AC-3", film("-c:v mpeg2video -bf 2 -q:v 3", sound=AC3), sound=True
    ),
    Entry(
        "mpeg2-pcm.mxf", "MXF: MPEG-2, PCM", film("-c:v mpeg2video -bf 2 -q:v 3", sound="-c:a pcm_s16le"), sound=True
    ),
    Entry(
        "mpeg2-mp2.wtv",
        "Windows Media Center: MPEG-2, MP2",
        film("-c:v mpeg2video -bf 2 -q:v 3", sound=MP2),
        sound=True,
    ),
    Entry("ffv1.nut", "NUT: FFV1", film("-c:v ffv1")),
    Entry("rv20-ac3.rm", "RealMedia: RealVideo 2, AC-3", film("-c:v rv20 -q:v 9", size=CIF, sound=AC3), sound=True),
    Entry("dv.dv", "raw DV, from a camcorder's tape", film("-c:v dvvideo", TIMES[:8], size=PAL), levels=SITING),
    Entry("dv.avi", "DV in AVI", film("-c:v dvvideo", TIMES[:8], size=PAL), levels=SITING),
    Entry("animation.gif", "animated GIF", film("-c:v gif"), rgb=True),
    Entry("mpeg4.m4v", "bare MPEG-4, no container", film("-c:v mpeg4 -q:v 3 -f m4v")),
    Entry("h264.h264", "bare H.264 with B-frames", film(X264)),
    Entry("hevc.hevc", "bare H.265", film("-c:v libx265 -preset ultrafast -x265-params log-level=error")),
    Entry("mpeg2.m2v", "bare MPEG-2 with B-frames", film("-c:v mpeg2video -bf 2 -q:v 3")),
    Entry("mjpeg.mjpeg", "JPEGs one after the other", film("-c:v mjpeg -q:v 3")),
    Entry("av1.obu", "bare AV1", film("-c:v libsvtav1 -preset 10 -svtav1-params lp=1")),
    Entry("av1.ivf", "IVF: AV1", film("-c:v libsvtav1 -preset 10 -svtav1-params lp=1")),
    Entry("vp9.ivf", "IVF: VP9", film("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 30")),
    Entry("plain.y4m", "YUV4MPEG: plain pictures", film("-c:v wrapped_avframe")),
]
