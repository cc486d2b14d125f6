package main

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"

	"trueup.dev/engines/pipe"
)

var errNothing = &pipe.Problem{Code: "Empty", Message: "there is nothing to build"}

func tooMany(count, limit int) *pipe.Problem {
	return &pipe.Problem{
		Code: "TooManyObjects", Message: fmt.Sprintf("%d objects, of at most %d", count, limit),
		Hint: "split the path into several Apps",
	}
}

func tooLarge(limit int) *pipe.Problem {
	return &pipe.Problem{
		Code: "TooLarge", Message: fmt.Sprintf("the objects are more than %d bytes together", limit),
		Hint: "split the path into several Apps",
	}
}

var lineNumber = regexp.MustCompile(`\bline (\d+)(:| )?`)

// syntaxProblem shortens a YAML reader's error and moves its line (relative to the document) to the file's.
func syntaxProblem(err error, first int) *pipe.Problem {
	message := err.Error()
	problem := &pipe.Problem{Code: "Syntax"}
	if match := lineNumber.FindStringSubmatch(message); match != nil {
		line, _ := strconv.Atoi(match[1])
		problem.Line = first + line - 1
		message = strings.Replace(message, match[0], "", 1)
	} else if strings.Contains(message, "yaml: ") {
		problem.Line = first // the reader leaves the number out when it is the first line
	}
	for _, noise := range []string{"error converting YAML to JSON: ", "MalformedYAMLError: ", "unmarshal errors:", "yaml: "} {
		message = strings.ReplaceAll(message, noise, "")
	}
	problem.Message = "YAML: " + strings.Join(strings.Fields(message), " ")
	switch {
	case strings.Contains(message, "already set in map"), strings.Contains(message, "already defined"):
		problem.Code = "DuplicateKey"
		problem.Hint = "keep one of the two"
	case strings.Contains(message, "cannot start any token"):
		problem.Hint = "indent with spaces, never with tabs"
	}
	return problem
}

var unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)

// unknownFields tells the first one that a strict reading would refuse; the library names no more.
func unknownFields(at string, text []byte) []skipped {
	var strict types.Kustomization
	err := strict.Unmarshal(text)
	if err == nil || !unknownField.MatchString(err.Error()) {
		return nil
	}
	problem := invalidKustomization(at, text, err)
	return []skipped{{Path: fmt.Sprintf("%s:%d", at, max(problem.Line, 1)), Why: problem.Message}}
}

func invalidKustomization(at string, text []byte, err error) *pipe.Problem {
	problem := syntaxProblem(err, 1)
	if match := unknownField.FindStringSubmatch(problem.Message); match != nil {
		for i, line := range strings.Split(string(text), "\n") {
			if problem.Line == 0 && strings.HasPrefix(strings.TrimLeft(line, " -\"'{"), match[1]) {
				problem.Line = i + 1
			}
		}
		if before, _, there := strings.Cut(string(text), match[1]); there && problem.Line == 0 {
			problem.Line = strings.Count(before, "\n") + 1 // within a line
		}
		problem.Message = fmt.Sprintf("unknown field %q", match[1])
		problem.Hint = "look for a misspelt name"
	}
	problem.Code, problem.Path = "InvalidKustomization", at
	problem.Message = strings.Replace(strings.TrimPrefix(problem.Message, "YAML: "), "invalid Kustomization: ", "", 1)
	problem.Message = shortened(strings.Replace(problem.Message, "error unmarshaling JSON: while decoding JSON: json: ", "", 1))
	return problem
}

// explain turns an error of the library into one for a person: the file and line, and no more words than help.
func explain(fs *snapshotFS, root string, err error) error {
	problem := asPlacedProblem(fs, root, err)
	if problem.Path == "" {
		problem.Path = "."
	}
	problem.Needs = fs.remotes.needs
	return problem
}

func asPlacedProblem(fs *snapshotFS, root string, err error) *pipe.Problem {
	var problem *pipe.Problem
	switch text := err.Error(); {
	case fs.refused != nil:
		return placed(fs, root, fs.refused, text)
	case errors.As(err, &problem):
		return problem
	case strings.Contains(text, "no 'git' program on path"), strings.Contains(text, pipe.ErrNoNetwork.Error()):
		return remoteRefused(fs, root, text)
	case strings.Contains(text, "already registered id"):
		if problem := duplicates(fs); problem != nil {
			return problem
		}
	case strings.Contains(text, "already defined at line"):
		if problem := duplicateKeys(fs); problem != nil {
			return problem
		}
	case strings.Contains(text, "external plugins disabled"):
		problem := shorten(fs, root, text)
		problem.Code, problem.Hint = "PluginRefused", "use what kustomize has built in, or keep the result in the repository"
		return problem
	case neitherPatch.MatchString(text):
		return patchProblem(fs, neitherPatch.FindStringSubmatch(text)[1])
	case strings.Contains(text, "helm"):
		if at, line := mention(fs, "helmCharts", "helmChartInflationGenerator", "HelmChartInflationGenerator"); at != "" {
			return &pipe.Problem{
				Code: "NotBuiltYet", Message: "helm charts in a kustomization are not rendered yet", Path: at, Line: line,
				Hint: "render the chart into the repository",
			}
		}
	}
	if problem := inspect(fs, err.Error()); problem != nil {
		return problem
	}
	return shorten(fs, root, err.Error())
}

var neitherPatch = regexp.MustCompile(`unable to parse SM or JSON patch from \[path: "([^"]+)"`)

// patchProblem speaks of a patch file that the library can read as none of the two kinds.
func patchProblem(fs *snapshotFS, name string) *pipe.Problem {
	problem := &pipe.Problem{
		Code: "InvalidPatch", Path: name,
		Message: "the patch is neither a strategic merge patch (a manifest with apiVersion, kind and metadata.name) nor a list of JSON 6902 operations",
		Hint:    "write operations as JSON, or as YAML whose lines begin with `- op:`",
	}
	for _, at := range paths(fs) {
		if strings.HasSuffix("/"+at, "/"+strings.TrimPrefix(path.Clean(name), "../")) {
			problem.Path, problem.Line = at, 1
		}
	}
	return problem
}

// placed gives a refused path the kustomization file and line that name it.
func placed(fs *snapshotFS, root string, problem *pipe.Problem, text string) *pipe.Problem {
	if problem.Path != "" {
		return problem
	}
	problem.Path = root
	if match := quoted.FindStringSubmatch(text); match != nil {
		if at, line := mention(fs, match[1]); at != "" {
			problem.Path, problem.Line = at, line
			problem.Message = fmt.Sprintf("the path %s leads outside the repository", match[1])
		}
	} else if match := outside.FindStringSubmatch(problem.Message); match != nil {
		// A generator, patch or component: the library tells the path that it came to, whose last name is as it is written.
		if at, line := mention(fs, path.Base(match[1])); at != "" {
			problem.Path, problem.Line = at, line
		}
	}
	return problem
}

var outside = regexp.MustCompile(`^the path (.+) leads outside`)

// duplicateKeys finds the file and line of a key that is set twice; the library only knows the line in its own copy.
func duplicateKeys(fs *snapshotFS) *pipe.Problem {
	for _, at := range paths(fs) {
		if !isManifest(at) {
			continue
		}
		for _, doc := range documents(fs.read[at]) {
			if _, problem := doc.toJSON(); problem != nil && problem.Code == "DuplicateKey" {
				problem.Path = at
				return problem
			}
		}
	}
	return nil
}

var quoted = regexp.MustCompile(`accumulating resources from '([^']*)'`)

// remoteRefused names the resource that would have to be fetched.
func remoteRefused(fs *snapshotFS, root, text string) *pipe.Problem {
	problem := &pipe.Problem{
		Code: "RemoteRefused", Path: root,
		Message: "remote bases and URLs are not fetched while rendering, so that a commit alone decides what runs",
		Hint:    "copy it into the repository (a submodule counts)",
	}
	for _, match := range quoted.FindAllStringSubmatch(text, -1) {
		problem.Message = match[1] + ": " + problem.Message
		if at, line := mention(fs, match[1]); at != "" {
			problem.Path, problem.Line = at, line
		}
		return problem
	}
	if at, line := mention(fs, "://", "git@", "github.com/", "git::"); at != "" {
		problem.Path, problem.Line = at, line
	}
	return problem
}

// mention finds the kustomization file and line where one of the words stands.
func mention(fs *snapshotFS, words ...string) (string, int) {
	for _, at := range paths(fs) {
		if !isKustomization(path.Base(at)) {
			continue
		}
		for i, line := range strings.Split(string(fs.read[at]), "\n") {
			for _, word := range words {
				if strings.Contains(line, word) {
					return at, i + 1
				}
			}
		}
	}
	return "", 0
}

func paths(fs *snapshotFS) []string {
	all := make([]string, 0, len(fs.read))
	for at := range fs.read {
		all = append(all, at)
	}
	sort.Strings(all)
	return all
}

func isManifest(at string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(at)) && !isKustomization(path.Base(at))
}

// duplicates finds objects that two documents declare, among all files that were read.
func duplicates(fs *snapshotFS) *pipe.Problem {
	type key struct{ group, kind, namespace, name string }
	seen := map[key]pipe.Place{}
	for _, at := range paths(fs) {
		if !isManifest(at) {
			continue
		}
		for _, doc := range documents(fs.read[at]) {
			if doc.identify() != nil {
				continue
			}
			for _, id := range doc.ids {
				if id.Kind == "" || id.Name == "" {
					continue
				}
				k := key{id.group(), id.Kind, id.Namespace, id.Name}
				place := pipe.Place{Path: at, Line: id.line}
				if first, twice := seen[k]; twice {
					return &pipe.Problem{
						Code:    "Duplicate",
						Message: fmt.Sprintf("%s is declared twice: in %s:%d and %s:%d", id, first.Path, first.Line, place.Path, place.Line),
						Path:    place.Path, Line: place.Line, Places: []pipe.Place{first, place},
						Hint: "remove one of the two",
					}
				}
				seen[k] = place
			}
		}
	}
	return nil
}

// inspect reads the files that the library's error speaks of once more, to find the line.
func inspect(fs *snapshotFS, text string) *pipe.Problem {
	for _, at := range paths(fs) {
		if isKustomization(path.Base(at)) {
			var k types.Kustomization
			if err := k.Unmarshal(fs.read[at]); err != nil {
				return invalidKustomization(at, fs.read[at], err)
			}
			continue
		}
		if !isManifest(at) {
			continue
		}
		if !strings.Contains(text, path.Base(at)) {
			if problem := brokenYAML(fs.read[at]); problem != nil && isSyntax(text) {
				problem.Path = at
				return problem
			}
			continue
		}
		if problem := checkEncoding(fs.read[at]); problem != nil {
			problem.Path = at
			return problem
		}
		for _, doc := range documents(fs.read[at]) {
			if problem := doc.check(); problem != nil {
				problem.Path = at
				return problem
			}
		}
	}
	return nil
}

// isSyntax says that the library's error came from a YAML reader, which knows no file names.
func isSyntax(text string) bool {
	return strings.Contains(text, "yaml: ") || strings.Contains(text, "MalformedYAMLError") || strings.Contains(text, "converting YAML")
}

func brokenYAML(text []byte) *pipe.Problem {
	for _, doc := range documents(text) {
		if problem := doc.identify(); problem != nil {
			return problem
		}
	}
	return nil
}

// check says what is wrong with a document that should hold an object.
func (d *document) check() *pipe.Problem {
	if problem := d.oddSeparator(); problem != nil {
		return problem
	}
	if problem := d.identify(); problem != nil {
		return problem
	}
	for _, id := range d.ids {
		switch {
		case id.Kind == "" && id.Name == "" && id.APIVersion == "":
			return &pipe.Problem{Code: "NotAnObject", Message: "expected a mapping with apiVersion, kind and metadata", Line: id.line}
		case id.Kind == "":
			return &pipe.Problem{Code: "NoKind", Message: "the object has no kind", Line: id.line}
		case id.Name == "":
			return &pipe.Problem{Code: "NoName", Message: fmt.Sprintf("the %s has no metadata.name", id.Kind), Line: id.line}
		}
	}
	if _, problem := d.toJSON(); problem != nil {
		return problem
	}
	return nil
}

// shortened gives one line of a length that a person reads.
func shortened(text string) string {
	const most = 500
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > most {
		return string(line[:most]) + " …"
	}
	return string(line)
}

var configuring = regexp.MustCompile("(?s)trouble configuring builtin (\\S+) with config: `.*?`: ")

// contents are the parts of an error that repeat whole patches or objects, which may hold secrets.
var contents = regexp.MustCompile(`(?s)(unable to parse SM or JSON patch|missing metadata\.name)( from \[patch: .*\]| in object .*)`)

var wrapping = regexp.MustCompile(`^(accumulating resources: )?(accumulation err='.*': )(.*)$`)

// shorten leaves out what only repeats where we are.
func shorten(fs *snapshotFS, root, text string) *pipe.Problem {
	problem := &pipe.Problem{Code: "Failed", Path: root}
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if at := path.Join(root, name); fs.read[at] != nil {
			problem.Path = at
		}
	}
	if match := quoted.FindStringSubmatch(text); match != nil {
		if at, line := mention(fs, match[1]); at != "" {
			problem.Path, problem.Line = at, line
		}
		if strings.Contains(text, "file does not exist") {
			problem.Code, problem.Message = "NotFound", fmt.Sprintf("%s does not exist", match[1])
			return problem
		}
	}
	for {
		match := wrapping.FindStringSubmatch(text)
		if match == nil || strings.HasPrefix(match[3], "must build at directory") {
			break
		}
		text = match[3]
	}
	text = strings.ReplaceAll(text, mount+"/", "")
	text = contents.ReplaceAllString(configuring.ReplaceAllString(text, "$1: "), "$1")
	problem.Message = shortened(strings.ReplaceAll(text, mount, "the repository's root"))
	return problem
}
