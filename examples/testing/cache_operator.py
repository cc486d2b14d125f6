"""A small operator: each Cache gets a Deployment with as many replicas. It finds its cluster as every client does."""

import asyncio

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config


def deployment_of(cache: dict) -> dict:
    meta, labels = cache["metadata"], {"cache": cache["metadata"]["name"]}
    owner = {"apiVersion": cache["apiVersion"], "kind": "Cache", "name": meta["name"], "uid": meta["uid"]}
    container = {"name": "cache", "image": "shop/cache:7"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{meta['name']}-cache",
            "namespace": meta["namespace"],
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {
            "replicas": cache["spec"]["replicas"],
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def main() -> None:
    async with KubeClient(load_config()) as client:
        caches = await client.discovery.resource("shop.example", "v1", "Cache")
        while True:
            for cache in await client.list_all(caches):
                await client.apply(deployment_of(cache), manager="cache-operator")
            await asyncio.sleep(0.5)  # a real operator would watch


if __name__ == "__main__":
    asyncio.run(main())
