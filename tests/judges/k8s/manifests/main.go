// Manifests decodes Kubernetes and Prometheus Operator manifests by the types of
// those projects, and refuses what they do not know: a kind, a member, a member
// twice, a value of the wrong type.
//
//	manifests FILE...       a file may hold several documents; "-" is standard input
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	monitoringv1beta1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	failed := len(os.Args) < 2
	for _, add := range []func(*runtime.Scheme) error{
		monitoringv1.AddToScheme, monitoringv1alpha1.AddToScheme, monitoringv1beta1.AddToScheme,
	} {
		if err := add(scheme.Scheme); err != nil {
			panic(err)
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	for _, path := range os.Args[1:] {
		file := os.Stdin
		if path != "-" {
			var err error
			if file, err = os.Open(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				failed = true
				continue
			}
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(file))
		for number := 1; ; number++ {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			_, kind, err := decoder.Decode(document, nil, nil)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s: document %d: %v\n", path, number, err)
				failed = true
				continue
			}
			fmt.Printf("%s: %s\n", path, kind)
		}
	}
	if failed {
		os.Exit(1)
	}
}
