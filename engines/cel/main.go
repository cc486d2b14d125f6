// The cel engine: Kubernetes' own libraries for rules, conditions and expressions in CEL behind a pipe. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("cel", "k8s.io/apiserver", map[string]pipe.Handler{
		"definition": definition,
		"object":     object,
		"conditions": conditions,
		"match":      match,
		"evaluate":   evaluate,
	})
}
