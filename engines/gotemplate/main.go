// The gotemplate engine: Go's text/template with Sprig, and the conditions that Argo CD writes beside templates, behind a pipe. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("gotemplate", "github.com/Masterminds/sprig/v3", map[string]pipe.Handler{
		"execute": execute, "conditions": conditions, "check": check,
	})
}
