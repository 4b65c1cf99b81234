"""Work that goes on beside the requests and the watch, for as long as the process lives."""
