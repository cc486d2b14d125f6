package main

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"trueup.dev/engines/pipe"
)

const (
	longestMessage = 4000
	mostPlaces     = 20
)

var (
	// `web/templates/a.yaml:12:4` in what the template engine says.
	place = regexp.MustCompile(`\(?([^\s()"]+/(?:templates|charts)/[^\s():"]+):(\d+)(?::(\d+))?\)?`)
	line  = regexp.MustCompile(`\bline (\d+)`)
	// What the sorter says of a document that is no YAML; its line counts within the document.
	unreadable = regexp.MustCompile(`^YAML parse error on ([^\s:]+):`)
	noManifest = regexp.MustCompile(`cannot unmarshal (\w+) into Go value of type util\.SimpleHead$`)
	nested     = regexp.MustCompile(`nested reference name: (.+): unable to execute template$`)
)

// explain names the innermost template that is told of, and the chart otherwise.
func explain(err error, loaded *loadedChart) error {
	var problem *pipe.Problem
	if errors.As(err, &problem) {
		if problem.Path == "" {
			problem.Path = path.Join(loaded.root, "Chart.yaml")
		}
		return problem
	}
	text := err.Error()
	problem = &pipe.Problem{Code: "Failed", Path: loaded.root, Message: shortened(text)}
	if found := nested.FindStringSubmatch(text); found != nil {
		// Each call of it tells of the next one: a thousand times the same words.
		problem.Message = fmt.Sprintf("the template %q includes itself without end", found[1])
	}
	if found := noManifest.FindStringSubmatch(text); found != nil {
		problem.Message = fmt.Sprintf("it renders a %s where a manifest should be", found[1])
	}
	if found := unreadable.FindStringSubmatch(text); found != nil {
		problem.Path = loaded.place(found[1])
		return problem
	}
	if found := place.FindAllStringSubmatch(text, -1); len(found) > 0 {
		innermost := found[len(found)-1]
		problem.Path = loaded.place(innermost[1])
		problem.Line, _ = strconv.Atoi(innermost[2])
		problem.Column, _ = strconv.Atoi(innermost[3]) // as the template engine counts
		if rest, begins := strings.CutPrefix(text, innermost[0]+"\n"); begins && len(found) == 1 {
			problem.Message = shortened(strings.TrimSpace(rest)) // the place is told by itself
		}
		for _, each := range found[:min(len(found)-1, mostPlaces)] {
			at, _ := strconv.Atoi(each[2])
			problem.Places = append(problem.Places, pipe.Place{Path: loaded.place(each[1]), Line: at})
		}
	}
	return problem
}

// placed says in which file, and in which line where the message tells.
func placed(err error, at string) error {
	problem := &pipe.Problem{Code: "Failed", Path: at, Message: shortened(err.Error())}
	if found := line.FindStringSubmatch(err.Error()); found != nil {
		problem.Line, _ = strconv.Atoi(found[1])
	}
	return problem
}

// shortened keeps the beginning, and the end: templates that call each other tell the cause last.
func shortened(text string) string {
	if len(text) <= longestMessage {
		return text
	}
	const head = longestMessage / 4
	return strings.ToValidUTF8(text[:head]+" … "+text[len(text)-(longestMessage-head):], "")
}
