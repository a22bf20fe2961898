"""Photos and clips: read, written, and which file becomes which."""
