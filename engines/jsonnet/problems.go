package main

import (
	"strings"

	jsonnet "github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"

	"trueup.dev/engines/pipe"
)

// longestMessage bounds what is said of a value that is wrong.
const longestMessage = 2000

// captured takes the place of the library's formatter, which would turn an error with its place into text.
type captured struct{ err error }

func (c *captured) Format(err error) string {
	c.err = err
	return err.Error()
}

func (*captured) SetMaxStackTraceSize(int) {}

func (*captured) SetColorFormatter(jsonnet.ColorFormatter) {}

// explain says what the library said, at the place in the Snapshot where it happened, and from where it was called.
func explain(err error, path string) *pipe.Problem {
	problem := &pipe.Problem{Code: "Failed", Path: path}
	message := strings.TrimPrefix(err.Error(), "RUNTIME ERROR: ")
	switch err := err.(type) {
	case jsonnet.RuntimeError:
		for i := len(err.StackTrace) - 1; i >= 0; i-- { // the innermost comes last
			problem.Places = appendPlace(problem.Places, &err.StackTrace[i].Loc)
		}
		if strings.Contains(message, "max stack frames exceeded") {
			problem.Hint = "a function or value calls itself without end"
		}
	case interface{ Loc() ast.LocationRange }:
		loc := err.Loc()
		problem.Places = appendPlace(problem.Places, &loc)
		// The place is said apart from the message.
		message = strings.TrimPrefix(message, loc.String()+" ")
	}
	if len(problem.Places) > 0 {
		first := problem.Places[0]
		problem.Path, problem.Line, problem.Column = first.Path, first.Line, first.Column
		problem.Places = problem.Places[1:]
	}
	problem.Message = shortened(strings.TrimSpace(message))
	return problem
}

// appendPlace leaves out the standard library's own code and repetitions.
func appendPlace(places []pipe.Place, loc *ast.LocationRange) []pipe.Place {
	if loc.FileName == "" || strings.HasPrefix(loc.FileName, "<") || loc.Begin.Line == 0 {
		return places
	}
	place := pipe.Place{Path: loc.FileName, Line: loc.Begin.Line, Column: loc.Begin.Column}
	if len(places) == 20 || (len(places) > 0 && places[len(places)-1] == place) {
		return places
	}
	return append(places, place)
}

func shortened(text string) string {
	if len(text) <= longestMessage {
		return text
	}
	return strings.ToValidUTF8(text[:longestMessage], "") + "…"
}
