// The kustomize engine: the official library behind a pipe. It has no logic of its own about what manifests mean; it
// opens no file, no socket and no other program. See ../PROTOCOL.md.
package main

import (
	_ "unsafe" // for go:linkname

	_ "sigs.k8s.io/kustomize/api/provenance"

	"trueup.dev/engines/pipe"
)

// release is the kustomize release that has this library. What the library writes of itself into objects
// (`buildMetadata: [managedByLabel]`) is otherwise `(devel)`, which is no label's value; the command's build sets it so.
const release = "kustomize/v5.8.1"

//go:linkname provenanceVersion sigs.k8s.io/kustomize/api/provenance.version
var provenanceVersion string

func main() {
	provenanceVersion = release
	pipe.Main("kustomize", "sigs.k8s.io/kustomize/api", map[string]pipe.Handler{
		"build": build,
		"read":  read,
		"parse": parse,
	})
}
