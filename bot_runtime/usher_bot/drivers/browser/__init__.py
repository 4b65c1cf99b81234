"""The browser driver: a real Chromium joins a real meeting.

driver      one visit, from launch to leave
  joining   from the first page into the meeting, screen by screen
  staying   in the meeting until something ends it
  liveness  whether the page answers, and its connection lives
  sound     what the meeting says, in slices, to sinks
platforms/  one file per platform, and one data file with what its pages show
page        the narrow interface between all of that and a browser
  chromium  the only package that knows Playwright
"""
