module usher.dev/pause

go 1.25.0
