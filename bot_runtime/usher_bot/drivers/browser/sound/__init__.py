"""What the meeting says: recorded in the page, handed out in slices, and taken by sinks of the class's choice."""
