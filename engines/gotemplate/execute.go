package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"trueup.dev/engines/pipe"
)

// executeParams asks for texts: each template with each set of values. A template stands alone, by its name in errors.
type executeParams struct {
	Templates []named           `json:"templates"`
	Values    []json.RawMessage `json:"values"`
	// Whole numbers stay whole; else they are what encoding/json makes of them, as the parameters of an ApplicationSet are.
	Whole bool `json:"whole"`
	// Functions is the set that the templates may call: see functions.go.
	Functions string `json:"functions"`
	// Options are those of text/template: missingkey=error.
	Options  []string `json:"options"`
	MaxBytes int      `json:"maxBytes"`
}

type named struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// executed is a text, or why there is none, with the place in the template.
type executed struct {
	Text   string `json:"text"`
	Error  string `json:"error,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// results has a row for each set of values, with the templates in their order.
type results struct {
	Results [][]executed `json:"results"`
}

// execute fills in templates. One that fails does not keep the others from their texts.
func execute(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params executeParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	functions, err := functionsOf(params.Functions)
	if err != nil {
		return nil, false, err
	}
	parsed := make([]*template.Template, len(params.Templates))
	broken := make([]executed, len(params.Templates))
	for i, each := range params.Templates {
		if parsed[i], err = parse(each, functions, &params); err != nil {
			broken[i] = failure(err)
		}
	}
	room := &bounded{left: params.MaxBytes, limited: params.MaxBytes > 0}
	answer := results{Results: make([][]executed, len(params.Values))}
	for row, raw := range params.Values {
		values, err := params.read(raw)
		if err != nil {
			return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
		}
		answer.Results[row] = make([]executed, len(parsed))
		for i, each := range parsed {
			if broken[i].Error != "" {
				answer.Results[row][i] = broken[i]
				continue
			}
			text, err := fill(each, values, room)
			if errors.Is(err, errTooLarge) {
				return nil, false, &pipe.Problem{
					Code: "TooLarge", Path: params.Templates[i].Name,
					Message: fmt.Sprintf("the texts have more than %d bytes together", params.MaxBytes),
				}
			}
			if err != nil {
				answer.Results[row][i] = failure(err)
				continue
			}
			answer.Results[row][i] = executed{Text: text}
		}
	}
	return answer, false, nil
}

func (params *executeParams) read(raw json.RawMessage) (values any, err error) {
	if params.Whole {
		return objectLike(raw)
	}
	return values, json.Unmarshal(raw, &values)
}

// parse refuses unknown options with an error: the library would panic.
func parse(each named, functions template.FuncMap, params *executeParams) (made *template.Template, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%v", cause)
		}
	}()
	made = template.New(each.Name).Option(params.Options...).Funcs(functions)
	if params.Functions == applicationSet {
		made.Funcs(template.FuncMap{"tpl": templateFunction(made)})
	}
	return made.Parse(each.Text)
}

func fill(each *template.Template, values any, room *bounded) (string, error) {
	room.text.Reset()
	if err := each.Execute(room, values); err != nil {
		return "", err
	}
	return room.text.String(), nil
}

var errTooLarge = errors.New("too large")

// bounded takes texts until they are too large together.
type bounded struct {
	text    strings.Builder
	left    int
	limited bool
}

func (b *bounded) Write(part []byte) (int, error) {
	if b.limited && len(part) > b.left {
		return 0, errTooLarge
	}
	b.left -= len(part)
	return b.text.Write(part)
}
