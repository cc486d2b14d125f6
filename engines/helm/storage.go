package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	releases "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/storage/driver"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/core/v1"

	"trueup.dev/engines/pipe"
)

// shelf is a place for one Secret in memory: the library's storage driver writes to it and reads from it.
type shelf struct {
	client.SecretInterface
	secret *core.Secret
}

func (s *shelf) Create(_ context.Context, secret *core.Secret, _ metav1.CreateOptions) (*core.Secret, error) {
	s.secret = secret
	return secret, nil
}

func (s *shelf) Update(_ context.Context, secret *core.Secret, _ metav1.UpdateOptions) (*core.Secret, error) {
	s.secret = secret
	return secret, nil
}

func (s *shelf) Get(context.Context, string, metav1.GetOptions) (*core.Secret, error) {
	return s.secret, nil
}

type stored struct {
	Secret *core.Secret `json:"secret,omitempty"`
	record
}

// record is a release, and what is told about it in the status of a HelmRelease.
type record struct {
	Release      *releases.Release `json:"release,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Objects      []document        `json:"objects,omitempty"`
	Digest       string            `json:"digest"`
	ConfigDigest string            `json:"configDigest"`
}

// encode gives the Secret that records a release.
func encode(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params struct {
		Release   *releases.Release `json:"release"`
		Labels    map[string]string `json:"labels"`
		Update    bool              `json:"update"`
		OCIDigest string            `json:"ociDigest"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	place := &shelf{}
	secrets := driver.NewSecrets(place)
	write := secrets.Create
	if params.Update {
		write = secrets.Update
	}
	params.Release.Labels = params.Labels
	key := fmt.Sprintf("sh.helm.release.v1.%s.v%d", params.Release.Name, params.Release.Version)
	if err := write(key, params.Release); err != nil {
		return nil, false, err
	}
	told, err := recorded(params.Release, params.OCIDigest)
	if err != nil {
		return nil, false, err
	}
	told.Release, told.Objects = nil, nil
	place.secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	return &stored{Secret: place.secret, record: *told}, false, nil
}

// decode gives the release that a Secret records.
func decode(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params struct {
		Secret    *core.Secret `json:"secret"`
		OCIDigest string       `json:"ociDigest"`
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	if len(params.Secret.Data["release"]) == 0 {
		return nil, false, &pipe.Problem{Code: "NoRelease", Message: "the Secret holds no release"}
	}
	found, err := driver.NewSecrets(&shelf{secret: params.Secret}).Get(params.Secret.Name)
	if err != nil {
		return nil, false, &pipe.Problem{Code: "NoRelease", Message: "the release in the Secret cannot be read"}
	}
	rel, ok := found.(*releases.Release)
	if !ok || rel == nil || rel.Info == nil {
		return nil, false, &pipe.Problem{Code: "NoRelease", Message: "the Secret holds no release of this version"}
	}
	told, err := recorded(rel, params.OCIDigest)
	return told, false, err
}

func recorded(rel *releases.Release, ociDigest string) (*record, error) {
	digest, err := observed(rel, ociDigest)
	if err != nil {
		return nil, err
	}
	config, err := digestOf(rel.Config)
	if err != nil {
		return nil, err
	}
	told := &record{Release: rel, Labels: rel.Labels, Digest: digest, ConfigDigest: config}
	parts := releaseutil.SplitManifests(rel.Manifest)
	keys := make([]string, 0, len(parts))
	for key := range parts {
		keys = append(keys, key)
	}
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	for _, key := range keys {
		told.Objects = append(told.Objects, document{Text: parts[key]})
	}
	return told, nil
}

// observation has the fields of a release that count for its digest in the status of a HelmRelease, in Flux's order.
type observation struct {
	Name          string           `json:"name"`
	Version       int              `json:"version"`
	Info          releases.Info    `json:"info"`
	ChartMetadata chart.Metadata   `json:"chartMetadata"`
	Config        map[string]any   `json:"config"`
	Manifest      string           `json:"manifest"`
	Hooks         []*releases.Hook `json:"hooks"`
	Namespace     string           `json:"namespace"`
	OCIDigest     string           `json:"ociDigest,omitempty"`
}

// observed leaves tests out: whoever runs `helm test` by hand changes nothing that is managed.
func observed(rel *releases.Release, ociDigest string) (string, error) {
	seen := observation{
		Name: rel.Name, Version: rel.Version, Manifest: rel.Manifest, Namespace: rel.Namespace, OCIDigest: ociDigest,
	}
	if rel.Info != nil {
		seen.Info = *rel.Info
	}
	if rel.Chart != nil && rel.Chart.Metadata != nil {
		seen.ChartMetadata = *rel.Chart.Metadata
	}
	if len(rel.Config) > 0 {
		seen.Config = rel.Config
	}
	for _, hook := range rel.Hooks {
		if !isTest(hook) {
			seen.Hooks = append(seen.Hooks, hook)
		}
	}
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode(seen); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

func isTest(hook *releases.Hook) bool {
	for _, event := range hook.Events {
		if event == releases.HookTest {
			return true
		}
	}
	return false
}
