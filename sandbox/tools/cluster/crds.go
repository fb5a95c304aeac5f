//go:build tools

// Package tools keeps in go.mod the modules of which only CRD folders are used: `go mod tidy` drops what nothing imports.
package tools

import (
	_ "github.com/GoogleCloudPlatform/gke-networking-api/apis/network/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
