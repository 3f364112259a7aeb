"""How Spindle writes dates: «Thursday 26 November»."""

DATE_FORMAT = "l j F"
SHORT_DATE_FORMAT = "D j M"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
