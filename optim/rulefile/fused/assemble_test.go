package fused_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"diaghess/optim/rulefile"
)

// NVIDIA's assembler takes the PTX of every rule and spills no register. make kernels-check
// names the assembler in PTXAS.
func TestAssemble(t *testing.T) {
	ptxas := os.Getenv("PTXAS")
	if ptxas == "" {
		t.Skip("set PTXAS to NVIDIA's assembler: make kernels-check does")
	}
	result := regexp.MustCompile(`(?s)Compiling entry function '(\w+)' for '(sm_\d+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers`)
	folder := t.TempDir()
	assemble := func(name string, p *rulefile.Program) (results [][]string) {
		file := filepath.Join(folder, "rule.ptx")
		_, source := kernelsOf(t, p).Module()
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, architecture := range []string{"sm_75", "sm_90", "sm_120"} {
			said, err := exec.Command(ptxas, "-v", "-arch="+architecture, "-o", filepath.Join(folder, "rule.cubin"), file).CombinedOutput()
			found := result.FindAllStringSubmatch(string(said), -1)
			if err != nil || len(found) != strings.Count(source, ".entry") {
				t.Fatalf("%s for %s: %v, %d kernels\n%s", name, architecture, err, len(found), said)
			}
			results = append(results, found...)
		}
		return results
	}
	for _, text := range ruleFiles(t) {
		variants(t, text, func(name string, p *rulefile.Program, _ rulefile.Diagonal) {
			registers, entries := map[string]string{}, []string{}
			for _, m := range assemble(name, p) {
				if m[3] != "0" || m[4] != "0" || m[5] != "0" {
					t.Errorf("%s: %s for %s has a stack of %s bytes, spills %s and loads %s", name, m[1], m[2], m[3], m[4], m[5])
				}
				if registers[m[1]] == "" {
					entries = append(entries, m[1])
				}
				registers[m[1]] += " " + m[6]
			}
			for _, entry := range entries {
				t.Logf("%-28s %-28s registers on sm_75, sm_90, sm_120:%s", name, entry, registers[entry])
			}
		})
	}
	// Operations that no file has; a long formula may spill.
	for seed := range uint64(10) {
		text := (&generator{r: rand.New(rand.NewPCG(seed, 1))}).rule()
		rule, err := rulefile.Parse("random.rule", text)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := rulefile.Compile(rule, nil, rulefile.NoDiagonal); err == nil {
			assemble(text, p)
		}
	}
}
