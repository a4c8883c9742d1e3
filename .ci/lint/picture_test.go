package lint

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/architecture.svg")

const program = "cmd/diaghess"

// TestPicture checks that docs/architecture.svg shows the imports. With -update it draws it.
func TestPicture(t *testing.T) {
	file := filepath.Join(root, "docs/architecture.svg")
	want := picture(imports(t))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/architecture.svg does not show the imports (%v): run make picture", err)
	}
}

// TestPageOfPicture checks that the files exist that docs/architecture.md names.
func TestPageOfPicture(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`([a-z]+/[a-z_/.]+)`").FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(filepath.Join(root, name[1])); err != nil {
			t.Error("docs/architecture.md names what does not exist:", err)
		}
	}
}

// A node is a package or, in a line that passes rows, a bend.
type node struct {
	name  string  // "" for a bend
	x     float64 // of its middle
	below []*node
}

// picture draws the packages of the program as SVG. A package lies below all packages that
// import it. An import is left out where other imports lead to the same package.
func picture(imports map[string][]string) string {
	edges := fold(imports)
	rank := map[string]int{}
	var visit func(name string, depth int)
	visit = func(name string, depth int) {
		if old, seen := rank[name]; !seen || old < depth {
			rank[name] = depth
			for _, i := range edges[name] {
				visit(i, depth+1)
			}
		}
	}
	visit(program, 0)

	rows := make([][]*node, slices.Max(slices.Collect(maps.Values(rank)))+1)
	nodes := map[string]*node{}
	add := func(name string, row int) *node {
		n := &node{name: name}
		rows[row] = append(rows[row], n)
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(rank)) {
		nodes[name] = add(name, rank[name])
	}
	for _, name := range slices.Sorted(maps.Keys(rank)) {
		for _, i := range edges[name] {
			if implied(edges, name, i) {
				continue
			}
			from := nodes[name]
			for r := rank[name] + 1; r < rank[i]; r++ {
				bend := add("", r)
				from.below = append(from.below, bend)
				from = bend
			}
			from.below = append(from.below, nodes[i])
		}
	}
	arrange(rows)
	return render(rows)
}

// fold returns the imports of the packages that the program consists of. It joins those
// below the second folder, such as gpu/cuda/shim.
func fold(imports map[string][]string) map[string][]string {
	short := func(folder string) string {
		parts := strings.Split(folder, "/")
		return strings.Join(parts[:min(2, len(parts))], "/")
	}
	edges, seen := map[string][]string{}, map[string]bool{}
	var visit func(folder string)
	visit = func(folder string) {
		if seen[folder] {
			return
		}
		seen[folder] = true
		for _, i := range imports[folder] {
			from, to := short(folder), short(i)
			if from != to && !slices.Contains(edges[from], to) {
				edges[from] = append(edges[from], to)
			}
			visit(i)
		}
	}
	visit(program)
	for _, to := range edges {
		slices.Sort(to)
	}
	return edges
}

// implied reports whether from imports a package that imports to, directly or not.
func implied(edges map[string][]string, from, to string) bool {
	var reaches func(name string) bool
	reaches = func(name string) bool { return name == to || slices.ContainsFunc(edges[name], reaches) }
	return slices.ContainsFunc(edges[from], func(next string) bool { return next != to && reaches(next) })
}

const (
	pictureWidth, rowHeight  = 1000, 74.0
	boxWidth, boxHeight, gap = 122.0, 34.0, 12.0
)

// arrange orders each row by the places of the neighbours above and below, and centres it.
// The picture holds seven packages in a row.
func arrange(rows [][]*node) {
	place := func(row []*node) {
		width := -gap
		for _, n := range row {
			width += n.width() + gap
		}
		x := (pictureWidth - width) / 2
		for _, n := range row {
			n.x = x + n.width()/2
			x += n.width() + gap
		}
	}
	for _, row := range rows {
		place(row)
	}
	for range 30 {
		for i, row := range rows {
			wish := map[*node]float64{}
			for _, n := range row {
				sum, count := 0.0, 0.0
				for _, below := range n.below {
					sum, count = sum+below.x, count+1
				}
				if i > 0 {
					for _, above := range rows[i-1] {
						if slices.Contains(above.below, n) {
							sum, count = sum+above.x, count+1
						}
					}
				}
				wish[n] = sum / max(count, 1)
			}
			slices.SortStableFunc(row, func(a, b *node) int { return cmp.Compare(wish[a], wish[b]) })
			place(row)
		}
	}
}

func (n *node) width() float64 {
	if n.name == "" {
		return 10
	}
	return boxWidth
}

func render(rows [][]*node) string {
	var lines, boxes strings.Builder
	for i, row := range rows {
		top := 10 + float64(i)*rowHeight
		for _, n := range row {
			start := top + boxHeight
			if n.name == "" {
				fmt.Fprintf(&lines, "<path d=\"M%.0f %.0fV%.0f\"/>\n", n.x, top, start)
			} else {
				fmt.Fprintf(&boxes, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" rx=\"5\"/><text x=\"%.0f\" y=\"%.0f\">%s</text>\n",
					n.x-boxWidth/2, top, boxWidth, boxHeight, n.x, top+boxHeight/2+5, n.name)
			}
			for _, below := range n.below {
				end, middle := top+rowHeight, top+(boxHeight+rowHeight)/2
				fmt.Fprintf(&lines, "<path d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>\n", n.x, start, n.x, middle, below.x, middle, below.x, end)
			}
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="14">
<title>The packages of diaghess and what they import</title>
<style>
path { fill: none; stroke: #768390; stroke-width: 1.4 }
rect { fill: #eef3f8; stroke: #57606a }
text { fill: #1f2328; text-anchor: middle }
@media (prefers-color-scheme: dark) { rect { fill: #22303d } text { fill: #e6edf3 } }
</style>
%s%s</svg>
`, pictureWidth, 20+float64(len(rows)-1)*rowHeight+boxHeight, lines.String(), boxes.String())
}
