// The rego engine: OPA as a library behind a pipe. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("rego", "github.com/open-policy-agent/opa", map[string]pipe.Handler{"check": check, "eval": eval})
}
