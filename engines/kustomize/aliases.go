package main

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"

	"trueup.dev/engines/pipe"
)

// maxNodes bounds what the aliases of one file may expand to; real manifests stay far below.
const maxNodes = 2_000_000

// checkAliases refuses a text whose aliases expand to more than memory can hold ("billion laughs"). The library
// replaces every alias by a copy of what it names and does not count.
func checkAliases(text []byte) *pipe.Problem {
	if !bytes.Contains(text, []byte("&")) || !bytes.Contains(text, []byte("*")) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return nil // the end, or an error that the library will report better
		}
		counter := expansion{sizes: map[*yaml.Node]int{}}
		if counter.size(&document) > maxNodes {
			return &pipe.Problem{
				Code:    "TooLarge",
				Message: fmt.Sprintf("aliases expand to more than %d values", maxNodes),
				Line:    document.Line,
				Hint:    "write the values out, or use fewer nested aliases",
			}
		}
	}
}

type expansion struct{ sizes map[*yaml.Node]int }

// size counts the nodes below n as if each alias were written out, and stops counting beyond the limit. An alias
// inside its own anchor has no finite size.
func (e expansion) size(n *yaml.Node) int {
	if known, ok := e.sizes[n]; ok {
		if known < 0 {
			return maxNodes + 1
		}
		return known
	}
	e.sizes[n] = -1
	total := 1
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		total = e.size(n.Alias)
	}
	for _, child := range n.Content {
		if total += e.size(child); total > maxNodes {
			total = maxNodes + 1
			break
		}
	}
	e.sizes[n] = total
	return total
}
