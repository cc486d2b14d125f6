// The helm engine: the official library behind a pipe. It installs nothing and speaks to no cluster. See ../PROTOCOL.md.
package main

import "trueup.dev/engines/pipe"

func main() {
	pipe.Main("helm", "helm.sh/helm/v4", map[string]pipe.Handler{
		"template":    template,
		"metadata":    metadata,
		"definitions": definitions,
		"values":      values,
		"release":     release,
		"encode":      encode,
		"decode":      decode,
		"index":       index,
		"yaml":        parseYAML,
	})
}
