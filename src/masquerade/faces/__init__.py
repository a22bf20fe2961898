"""Everything that is known about the faces in a picture: where they are, how they stand, whose they are."""
