"""The commands of a page are read as a reader types them."""

from pathlib import Path

from dev.docs.commands import Typed, commands

PAGE = """
Text with `make up`.

```console
$ make up
$ kubectl get br
NAME   STATUS

standup   active
$ curl -s $URL/bots \\
    -d '{"platform": "zoom"}'
{"id": 1}
```

1. A list:

    ```sh
    export A=1
    curl -d '{
      "b": 2}'
    docker push REGISTRY/bot
    ```

```sql
SELECT 1;
```
"""


def test_a_page_gives_its_commands_in_order_with_what_they_print(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert commands(page) == [
        Typed(command="make up"),
        Typed(command="kubectl get br", prints=("NAME   STATUS", "standup   active")),
        Typed(command='curl -s $URL/bots \\\n    -d \'{"platform": "zoom"}\'', prints=('{"id": 1}',)),
        Typed(command="export A=1"),
        Typed(command="curl -d '{\n  \"b\": 2}'"),
        Typed(command="docker push REGISTRY/bot"),
    ]


def test_a_command_with_a_value_of_the_readers_own_cannot_be_typed_as_it_stands() -> None:
    assert not Typed(command="docker push REGISTRY/bot").is_complete
    assert Typed(command="export HOSTNAME=a").is_complete
