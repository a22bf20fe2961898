"""Limits that photos and clips share: what is replaced, how often it is tried, and when the person counts as gone."""

from __future__ import annotations

SMALLEST_PX = 24
"""Smaller faces are obscured: a drawn face of so few pixels is no better than a pixelated one."""

CANDIDATES = 8
"""Identities drawn at once; the best of those who pass is taken."""

ROUNDS, FITTING_ROUNDS = 16, 4
"""So often new candidates are drawn before a face is obscured; after the fitting rounds of any age, and after as many more of either
sex, since a stranger who does not quite suit the hair is better than a pixelated one."""

AUDIT_MARGIN = 0.06
"""How far below the recogniser's threshold a new face must stay: others measure with other landmarks."""

SURE_SCORE, SURE_INSIDE = 0.8, 0.9
"""A face that was found with this score and lies so far inside the picture is one, even where the parser sees none."""

LEAST_VISIBLE = 0.4
"""A face of which less than this is seen, of the average face's outline, is obscured: what little could be drawn would be no face."""

LEAST_INSIDE = 0.5
"""A face of which less lies inside the picture is obscured: of a mouth alone no face can be drawn."""
