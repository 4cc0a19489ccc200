package filter

import "slices"

// unite returns what is in a or b, each once.
func unite[V comparable](a, b []V) []V {
	var all []V
	for _, v := range slices.Concat(a, b) {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// intersect returns what is in a and b, each once.
func intersect[V comparable](a, b []V) []V {
	var both []V
	for _, v := range unite(a, nil) {
		if slices.Contains(b, v) {
			both = append(both, v)
		}
	}
	return both
}
