"""What the installation's class adds to the pod of a bot: pure functions on a built pod."""

from typing import Any

from usher_operator.settings.bot_class import BotClass

Json = dict[str, Any]


def with_scheduling(pod: Json, bot_class: BotClass) -> Json:
    """The pod on the class's nodes. What the request says of a node's label wins; tolerations add up."""
    scheduling: Json = {
        "nodeSelector": bot_class.node_selector | pod.get("nodeSelector", {}),
        "tolerations": [*bot_class.tolerations, *pod.get("tolerations", [])],
        "affinity": bot_class.affinity,
    }
    return pod | {key: value for key, value in scheduling.items() if value}


def with_program_needs(pod: Json, bot_class: BotClass) -> Json:
    """The pod with the environment, user, volumes and shared memory that the installation's own program needs."""
    (container,) = pod["containers"]
    security: Json = {"runAsUser": bot_class.run_as_user} if bot_class.run_as_user else {}
    return pod | {
        "containers": [_container(container, bot_class)],
        "securityContext": pod["securityContext"] | security,
        "volumes": [*(_sized(volume, bot_class) for volume in pod["volumes"]), *bot_class.volumes],
    }


def _container(container: Json, bot_class: BotClass) -> Json:
    replaced = {variable["name"] for variable in bot_class.env}
    added: Json = {"envFrom": list(bot_class.env_from)} if bot_class.env_from else {}
    return (
        container
        | added
        | {
            "env": [*(each for each in container["env"] if each["name"] not in replaced), *bot_class.env],
            "volumeMounts": [*container["volumeMounts"], *bot_class.volume_mounts],
        }
    )


def _sized(volume: Json, bot_class: BotClass) -> Json:
    if volume["name"] != "shm" or bot_class.shm_size is None:
        return volume
    return volume | {"emptyDir": volume["emptyDir"] | {"sizeLimit": bot_class.shm_size}}
