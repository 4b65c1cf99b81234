"""A release as one folder: wheel, sdist, image archives, chart, SBOMs, checksums and their signature.

`make release VERSION=…` writes build/release/VERSION and verifies it without the network; RELEASE.md says when and how.
The same commit gives the same files in any folder, as long as Debian's and PyPI's packages are the same: every time in
them is the commit's, every list is sorted, and nothing is taken from an earlier build.
"""
