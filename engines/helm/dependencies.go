package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"

	"trueup.dev/engines/pipe"
)

const localPrefix = "file://"

// fetchedChart is what was fetched for a dependency, and where it stands among the paths. URL is where an alias led.
type fetchedChart struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
	URL        string `json:"url"`
	Path       string `json:"path"`
}

func (f *fetchedChart) is(wanted *chart.Dependency) bool {
	return f.Name == wanted.Name && f.Version == wanted.Version && f.Repository == wanted.Repository
}

// missingDependencies names what is in Chart.yaml and not in charts/.
func missingDependencies(c *chart.Chart) []string {
	var missing []string
	for _, wanted := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(one *chart.Chart) bool { return one.Name() == wanted.Name }) {
			missing = append(missing, wanted.Name)
		}
	}
	return missing
}

func missingDependency(missing []string) *pipe.Problem {
	return &pipe.Problem{
		Code:    "MissingDependency",
		Message: "found in Chart.yaml, but missing in charts/ directory: " + strings.Join(missing, ", "),
		Hint:    "run `helm dependency update` and commit the charts/ directory, or have them fetched (render --fetch)",
	}
}

// complete does what `helm dependency build` does to a chart in a directory: everything that is locked, or asked for where
// nothing is locked, comes into charts/, and other packed charts go from there. A chart that lacks nothing stays as it is.
func complete(loaded *loadedChart, fetched []fetchedChart, files *pipe.Files) (*loadedChart, error) {
	missing := missingDependencies(loaded.chart)
	if len(missing) == 0 {
		return loaded, nil
	}
	wanted := loaded.chart.Metadata.Dependencies
	if loaded.chart.Lock != nil {
		wanted = loaded.chart.Lock.Dependencies
	}
	if err := checkLock(loaded, fetched); err != nil {
		return nil, err
	}
	problem := missingDependency(missing)
	problem.Path = loaded.at("Chart.yaml")
	places := map[string]string{}
	added := kept(loaded, wanted)
	for number, one := range wanted {
		if one.Repository == "" {
			continue // it is in charts/, or it stays missing
		}
		at, found, err := dependencyFiles(loaded, one, fetched, files)
		if err != nil {
			return nil, err
		}
		if at == "" {
			problem.Needs = append(problem.Needs, pipe.Need{
				Text: fmt.Sprintf("helm:%s %s %s", one.Repository, one.Name, one.Version), Path: problem.Path,
				Chart: &pipe.NeededChart{Name: one.Name, Version: one.Version, Repository: one.Repository},
			})
			continue
		}
		for _, file := range found {
			file.Name = path.Join("charts", fmt.Sprintf("dependency-%d", number), file.Name)
			added = append(added, file)
		}
		places[calledBy(loaded.chart, wanted, number)] = at
	}
	if len(problem.Needs) > 0 {
		return nil, problem
	}
	whole, err := loaded.with(added, places)
	if err != nil {
		return nil, err
	}
	if missing := missingDependencies(whole.chart); len(missing) > 0 {
		problem := missingDependency(missing)
		problem.Path = loaded.at("Chart.yaml")
		return nil, problem
	}
	return whole, nil
}

// dependencyFiles reads one dependency; no place: it has to be fetched first.
func dependencyFiles(
	loaded *loadedChart, wanted *chart.Dependency, fetched []fetchedChart, files *pipe.Files,
) (string, []*archive.BufferedFile, error) {
	if strings.HasPrefix(wanted.Repository, localPrefix) {
		return localFiles(loaded, wanted, files)
	}
	for index := range fetched {
		if fetched[index].is(wanted) {
			var found []*archive.BufferedFile
			err := walk(files, ignore.Empty(), fetched[index].Path, "", &found)
			return fetched[index].Path, found, err
		}
	}
	return "", nil, nil
}

// localFiles reads a chart beside this one; whoever answers looks refuses what is outside the Snapshot.
func localFiles(loaded *loadedChart, wanted *chart.Dependency, files *pipe.Files) (string, []*archive.BufferedFile, error) {
	refused := func(message, hint string) error {
		return &pipe.Problem{
			Code: "InvalidDependency", Path: loaded.at("Chart.yaml"), Hint: hint,
			Message: fmt.Sprintf("the dependency %s (%s) %s", wanted.Name, wanted.Repository, message),
		}
	}
	below := strings.TrimPrefix(wanted.Repository, localPrefix)
	if strings.HasPrefix(below, "/") {
		return "", nil, refused("is outside the repository", "name it by a path relative to the chart, such as file://../common")
	}
	at := path.Join(loaded.root, below)
	rules, err := rulesOf(files, at)
	if err != nil {
		return "", nil, err
	}
	var found []*archive.BufferedFile
	if err := walk(files, rules, at, "", &found); err != nil {
		return "", nil, err
	}
	local, err := loader.LoadFiles(found)
	if err != nil {
		return "", nil, refused(fmt.Sprintf("is no chart: %s", err), "")
	}
	constraint, err := semver.NewConstraint(wanted.Version)
	if err != nil {
		return "", nil, refused(fmt.Sprintf("asks for the version %q, which is no range: %s", wanted.Version, err), "")
	}
	version, err := semver.NewVersion(local.Metadata.Version)
	if err != nil || !constraint.Check(version) {
		message := fmt.Sprintf("is at version %s, which %q does not allow", local.Metadata.Version, wanted.Version)
		return "", nil, refused(message, "run: helm dependency update")
	}
	return at, found, nil
}

// kept are the chart's own files, without the packed charts that the command removes from charts/.
func kept(loaded *loadedChart, wanted []*chart.Dependency) []*archive.BufferedFile {
	stays := func(file *archive.BufferedFile) bool {
		name, inside := strings.CutPrefix(file.Name, "charts/")
		if !inside || strings.Contains(name, "/") || !strings.HasSuffix(name, ".tgz") {
			return true
		}
		packed, err := loader.LoadArchive(bytes.NewReader(file.Data))
		return err != nil || slices.ContainsFunc(wanted, func(one *chart.Dependency) bool {
			return one.Repository == "" && one.Name == packed.Name()
		})
	}
	var found []*archive.BufferedFile
	for _, file := range loaded.files {
		if stays(file) {
			found = append(found, file)
		}
	}
	return found
}

// calledBy is the name by which templates of a dependency are told of: its alias, where Chart.yaml gives one.
func calledBy(c *chart.Chart, wanted []*chart.Dependency, number int) string {
	asked := c.Metadata.Dependencies
	if len(asked) == len(wanted) && asked[number].Name == wanted[number].Name && asked[number].Alias != "" {
		return asked[number].Alias
	}
	return wanted[number].Name
}

// checkLock compares the lock's digest with what Chart.yaml asks for now, as the command does. Aliases of repositories count
// as what they stand for; while that is not known, nothing can be said.
func checkLock(loaded *loadedChart, fetched []fetchedChart) error {
	c := loaded.chart
	if c.Lock == nil {
		return nil
	}
	asked := make([]*chart.Dependency, 0, len(c.Metadata.Dependencies))
	for _, one := range c.Metadata.Dependencies {
		copied := *one
		if strings.HasPrefix(one.Repository, "@") || strings.HasPrefix(one.Repository, "alias:") {
			at := slices.IndexFunc(fetched, func(f fetchedChart) bool { return f.Name == one.Name && f.URL != "" })
			if at < 0 {
				return nil
			}
			copied.Repository = fetched[at].URL
		}
		asked = append(asked, &copied)
	}
	said := []string{requestDigest([2][]*chart.Dependency{asked, c.Lock.Dependencies})}
	lock, table := "Chart.lock", "Chart.yaml"
	if c.Metadata.APIVersion == chart.APIVersionV1 { // a lock that Helm 2 wrote
		said = append(said, requestDigest(map[string][]*chart.Dependency{"dependencies": c.Metadata.Dependencies}))
		lock, table = "requirements.lock", "requirements.yaml"
	}
	if slices.Contains(said, c.Lock.Digest) {
		return nil
	}
	return &pipe.Problem{
		Code: "LockOutOfSync", Path: loaded.at(lock),
		Message: fmt.Sprintf("the lock file (%s) is out of sync with the dependencies file (%s)", lock, table),
		Hint:    "run `helm dependency update` and commit the lock",
	}
}

func requestDigest(dependencies any) string {
	data, err := json.Marshal(dependencies)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}
