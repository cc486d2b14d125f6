// The kustomize engine: the official library behind a pipe. It has no logic of its own about what manifests mean; it
// opens no file, no socket and no other program. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("kustomize", "sigs.k8s.io/kustomize/api", map[string]pipe.Handler{
		"build": build,
		"read":  read,
		"parse": parse,
	})
}
