"""What else is listed: projects, clusters, repositories."""

from __future__ import annotations

from typing import Any

LISTS: dict[str, list[dict[str, Any]]] = {
    "projects": [
        {
            "name": team,
            "description": f"what team {team} may do",
            "sourceRepos": [f"https://git.example.com/{team}/*"],
            "destinations": [f"*/{team}"],
            "roles": [{"name": "deployer", "description": "", "policies": [], "groups": [], "tokens": 1}],
            "windows": 1,
            "apps": 11,
            "problem": "",
        }
        for team in ("shop", "payments", "search")
    ],
    "clusters": [
        {
            "row": {
                "name": name,
                "server": f"https://{name}.example.com:6443",
                "project": "",
                "namespaces": [],
                "credentials": ["bearer token"],
                "insecure": False,
                "labels": {},
            },
            "apps": 85,
        }
        for name in ("production-eu", "production-us", "staging")
    ],
    "repositories": [
        {
            "row": {
                "name": "shop",
                "type": "git",
                "url": "https://git.example.com/shop/deploy.git",
                "project": "shop",
                "credentials": ["password"],
                "prefix": False,
                "insecure": False,
            },
            "apps": 11,
            "sources": 1,
        }
    ],
}
