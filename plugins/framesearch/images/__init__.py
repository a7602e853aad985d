"""Pictures as arrays: RGB uint8 (H, W, 3). The only package that uses OpenCV and Pillow."""
