"""`python3 -m dev.python`: print the path of the Python to run on, and make it when there is none."""

from dev.python.choice import chosen_or_exit

if __name__ == "__main__":
    print(chosen_or_exit())
