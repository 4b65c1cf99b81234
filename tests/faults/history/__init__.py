"""What everybody saw of a run, in one file, and the checkers that decide from that file alone.

    recorder.py   clients, bots, watches and receivers write down what they asked and what they were told
    format.py     the lines of the file
    evidence.py   which operations say what of a meeting's status, and when it was so
    facts.py      what all rules need of a history
    rules/        one promise each
    report.py     a history's verdict: sentences, and figures for a fault run
    generate.py   random histories in which every promise is kept
    observed.py   the recording of one installation: receiver, watches, reader, the audit trail at the end

No checker asks Usher, Postgres or the API server for anything. A finding is certain: whatever else may explain an
observation (a lost reply, a delayed watch, an operation that overlaps another) is granted.
"""
