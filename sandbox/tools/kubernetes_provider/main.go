// The Pulumi Kubernetes provider of the pinned module, as the executable that the Pulumi engine looks for.
// The module has no main package that builds from a download: two files that it embeds are generated at release.
// sandbox/tools generates them from the module's folder into a copy of this folder, and builds there.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the Python SDK's, set by the linker: the Pulumi engine asks for that one.
var version string

//go:embed schema-embed.json
var schema []byte

//go:embed terraform-mapping-embed.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, terraformMapping)
}
