// The floor of a full render: the official library alone, as `helm template` uses it, on a chart of the disk. One release
// per line of standard input: `CHART NAME VALUES`. It prints how many documents there were.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

func main() {
	debug.SetGCPercent(400) // as in our engines, so that the floor is as low
	documents := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		found, err := template(words[0], words[1], words[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, words, err)
			os.Exit(1)
		}
		documents += found
	}
	fmt.Println(documents)
}

func template(path, name, file string) (int, error) {
	chart, err := loader.LoadDir(path)
	if err != nil {
		return 0, err
	}
	values, err := common.ReadValuesFile(file)
	if err != nil {
		return 0, err
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return 0, err
	}
	options := common.ReleaseOptions{Name: name, Namespace: "apps", Revision: 1, IsInstall: true}
	top, err := commonutil.ToRenderValues(chart, values, options, common.DefaultCapabilities.Copy())
	if err != nil {
		return 0, err
	}
	rendered, err := engine.Engine{}.RenderWithContext(context.Background(), chart, top)
	if err != nil {
		return 0, err
	}
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	return len(hooks) + len(manifests), err
}
