package layers_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"diaghess/layers"
)

// The initial values of the pilot's network, parameters and statistics with the
// zeros between them, never change: records would no longer be repeated. The
// sums were made when a plain loop on the host drew the values, before there was
// a kernel for it.
func TestInitialValuesStay(t *testing.T) {
	for seed, want := range map[uint64]string{
		0:         "907705b36d103b2b948bc318ee1520307358029b81bf626f8cdff732eaa0051b",
		1:         "be0925c2574b813143d1e95d251391c7f3ccd4aa531efe6914fbb4fa8df92899",
		1<<40 + 7: "d2b0cd79818447dfd2240eb3d384ee9b2ce67a5f449389cee1025b63a4a4a286",
	} {
		n := newNetwork(t, cifar, layers.PilotCNN().Layers(10), seed)
		tr := &trainer{TB: t, network: n}
		var content bytes.Buffer
		check(t, binary.Write(&content, binary.LittleEndian, download(tr, n.Values)))
		check(t, binary.Write(&content, binary.LittleEndian, download(tr, n.Moving)))
		sum := sha256.Sum256(content.Bytes())
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("seed %d: the initial values have SHA-256 %s, want %s", seed, got, want)
		}
	}
}
