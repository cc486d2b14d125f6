package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// readParams asks for the objects of plain manifest files, as Kubernetes' own clients read them.
type readParams struct {
	Paths []string `json:"paths"`
	// Lenient leaves out files that do not look like manifests instead of refusing them, and files that hold SkipMark.
	Lenient    bool   `json:"lenient"`
	SkipMark   string `json:"skipMark"`
	MaxObjects int    `json:"maxObjects"`
	MaxBytes   int    `json:"maxBytes"`
}

type readResult struct {
	objects
	Skipped []skipped `json:"skipped,omitempty"`
}

type skipped struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// looksLikeManifest is Argo CD's rule for telling a broken manifest from a file that was never one.
func looksLikeManifest(file *pipe.File) bool {
	if path.Ext(file.At) == ".json" {
		return true
	}
	for _, word := range []string{"apiVersion:", "kind:", "metadata:"} {
		if !bytes.Contains(file.Data, []byte(word)) {
			return false
		}
	}
	return true
}

func read(raw json.RawMessage, files *pipe.Files) (any, bool, error) {
	var params readParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	result := &readResult{objects: objects{Objects: []object{}}}
	total := 0
	for _, name := range params.Paths {
		file, err := files.Look(name, false)
		if err != nil {
			return nil, false, err
		}
		if file.Is != pipe.IsFile {
			why := file.Why
			if why == "" {
				why = "expected a file, found " + file.Is
			}
			return nil, false, &pipe.Problem{Code: "Refused", Message: why, Path: name}
		}
		if params.SkipMark != "" && bytes.Contains(file.Data, []byte(params.SkipMark)) {
			continue
		}
		found, problem := objectsOf(file)
		if problem != nil && params.Lenient && len(found) == 0 && !looksLikeManifest(file) {
			result.Skipped = append(result.Skipped, skipped{Path: file.At, Why: problem.Message})
			continue
		}
		if problem != nil {
			problem.Path = file.At
			return nil, false, problem
		}
		result.Objects = append(result.Objects, found...)
		if params.MaxObjects > 0 && len(result.Objects) > params.MaxObjects {
			return nil, false, tooMany(len(result.Objects), params.MaxObjects)
		}
		for _, one := range found {
			if total += len(one.JSON); params.MaxBytes > 0 && total > params.MaxBytes {
				return nil, false, tooLarge(params.MaxBytes)
			}
		}
	}
	return result, false, nil
}

func objectsOf(file *pipe.File) ([]object, *pipe.Problem) {
	file.Data = fromUTF16(file.Data)
	if problem := checkEncoding(file.Data); problem != nil {
		return nil, problem
	}
	if head := bytes.TrimSpace(bytes.TrimPrefix(file.Data, byteOrderMark)); len(head) > 0 && head[0] == '{' {
		found, problem := fromJSON(file)
		if problem == nil || path.Ext(file.At) == ".json" {
			return found, problem
		}
	}
	var found []object
	for _, doc := range documents(file.Data) {
		asJSON, problem := doc.toJSON()
		if problem != nil {
			return found, problem
		}
		more, problem := inlineLists(asJSON, file.At, doc.line)
		if problem != nil {
			return found, problem
		}
		if len(more) > 1 && doc.identify() == nil && len(doc.ids) == len(more) {
			for i := range more {
				more[i].Line = doc.ids[i].line
			}
		}
		found = append(found, more...)
	}
	return found, nil
}

func (d *document) toJSON() (json.RawMessage, *pipe.Problem) {
	if line := d.afterEnd(); line > 0 {
		return nil, &pipe.Problem{
			Code: "Syntax", Message: `content after the document's end marker "..."`, Line: line,
			Hint: `begin another document with "---"`,
		}
	}
	if problem := d.oddSeparator(); problem != nil {
		return nil, problem
	}
	asJSON, err := yaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, syntaxProblem(err, d.first)
	}
	return asJSON, nil
}

// oddSeparator finds a "---" with content on its line: legal YAML, but Kubernetes' readers refuse it.
func (d *document) oddSeparator() *pipe.Problem {
	for i, line := range bytes.Split(d.text, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("---")) {
			return &pipe.Problem{
				Code: "Syntax", Message: fmt.Sprintf("invalid document separator %q", strings.TrimSpace(string(line))),
				Line: d.first + i, Hint: `put "---" on a line of its own`,
			}
		}
	}
	return nil
}

// afterEnd gives the line of the first content behind a "..." line: the reader would drop it without a word.
func (d *document) afterEnd() int {
	ended := false
	for i, line := range bytes.Split(d.text, []byte("\n")) {
		trimmed := bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("...")) && len(trimmed) == 3 {
			ended = true
		} else if ended && len(trimmed) > 0 && trimmed[0] != '#' {
			return d.first + i
		}
	}
	return 0
}

func fromJSON(file *pipe.File) ([]object, *pipe.Problem) {
	text := bytes.TrimPrefix(file.Data, byteOrderMark)
	decoder := json.NewDecoder(bytes.NewReader(text))
	var found []object
	for {
		before := decoder.InputOffset()
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			var syntax *json.SyntaxError
			at := decoder.InputOffset()
			if errors.As(err, &syntax) {
				at = syntax.Offset
			}
			return nil, &pipe.Problem{Code: "Syntax", Message: "JSON: " + err.Error(), Line: lineAt(text, at)}
		}
		start := decoder.InputOffset() - int64(len(raw))
		if start < before {
			start = before
		}
		if key := duplicateKey(json.NewDecoder(bytes.NewReader(raw))); key != "" {
			return nil, &pipe.Problem{
				Code: "DuplicateKey", Message: fmt.Sprintf("key %q is set twice in one mapping", key), Line: lineAt(text, start),
			}
		}
		more, problem := inlineLists(raw, file.At, lineAt(text, start))
		if problem != nil {
			return nil, problem
		}
		found = append(found, more...)
	}
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
}

// duplicateKey gives the first key that stands twice in one mapping of the value that follows; "" when there is none.
func duplicateKey(decoder *json.Decoder) string {
	token, err := decoder.Token()
	if err != nil {
		return ""
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return ""
	}
	seen := map[string]bool{}
	for decoder.More() {
		if delim == '{' {
			key, err := decoder.Token()
			if err != nil {
				return ""
			}
			name, _ := key.(string)
			if seen[name] {
				return name
			}
			seen[name] = true
		}
		if found := duplicateKey(decoder); found != "" {
			return found
		}
	}
	_, _ = decoder.Token()
	return ""
}

// inlineLists replaces a `kind: List` (or `...List` with items) by its items, and leaves out empty documents.
func inlineLists(raw json.RawMessage, at string, line int) ([]object, *pipe.Problem) {
	trimmed := bytes.TrimSpace(raw)
	if bytes.Equal(trimmed, []byte("null")) {
		return nil, nil
	}
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, &pipe.Problem{
			Code: "NotAnObject", Message: "expected a mapping with apiVersion, kind and metadata", Line: line,
		}
	}
	var list struct {
		Kind  any               `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(trimmed, &list); err == nil {
		if kind, _ := list.Kind.(string); kind == "" {
			return nil, &pipe.Problem{Code: "NoKind", Message: "the object has no kind", Line: line}
		}
		if kind, ok := list.Kind.(string); ok && strings.HasSuffix(kind, "List") && list.Items != nil {
			var found []object
			for _, item := range list.Items {
				more, problem := inlineLists(item, at, line)
				if problem != nil {
					return nil, problem
				}
				found = append(found, more...)
			}
			return found, nil
		}
	}
	return []object{{JSON: trimmed, Path: at, Line: line}}, nil
}

// fromUTF16 turns a text with a UTF-16 byte order mark into UTF-8 and leaves any other alone.
func fromUTF16(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i+1 < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}

func checkEncoding(text []byte) *pipe.Problem {
	text = fromUTF16(text)
	if utf8.Valid(text) {
		return nil
	}
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return &pipe.Problem{
		Code: "Encoding", Message: fmt.Sprintf("the file is not UTF-8 (byte 0x%02x)", text[at]),
		Line: lineAt(text, int64(at)), Hint: "save it as UTF-8",
	}
}

// parseParams asks for the JSON of single YAML documents, as they come out of variable substitution.
type parseParams struct {
	Texts []string `json:"texts"`
}

type parsed struct {
	Objects []parsedText `json:"objects"`
}

type parsedText struct {
	JSON  json.RawMessage `json:"object,omitempty"`
	Error *pipe.Problem   `json:"error,omitempty"`
}

func parse(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params parseParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	result := &parsed{Objects: make([]parsedText, len(params.Texts))}
	for i, text := range params.Texts {
		asJSON, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			result.Objects[i].Error = syntaxProblem(err, 1)
			continue
		}
		result.Objects[i].JSON = asJSON
	}
	return result, false, nil
}
