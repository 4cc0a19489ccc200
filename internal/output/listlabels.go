package output

// HostNames gives text for numbers in a listing. Where a function is nil, or returns "", the number is shown. What they
// return need not be printable. A listing asks for each namespace and cgroup once, for ports at every socket.
type HostNames struct {
	NetNS     func(inode uint32) string // what a network namespace is known by, as "blue" or "container web"
	Cgroup    func(id uint64) string    // path of a cgroup (v2)
	Container func(id uint64) string    // id of the container that a cgroup belongs to, in short
	Service   func(port uint16) string  // only Table and Wide use it
}

// maxService is the longest name of a service (RFC 6335, section 5.1).
const maxService = 15

// service returns the name of a port, "" when it has none that IANA would have registered: letters, digits and hyphens,
// and what is found in /etc/services beside these.
func (n *HostNames) service(port uint16) string {
	if n.Service == nil || port == 0 {
		return ""
	}
	name := n.Service(port)
	if len(name) > maxService {
		return ""
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c|' ' >= 'a' && c|' ' <= 'z', c == '-', c == '_', c == '.', c == '+', c == '/':
		default:
			return ""
		}
	}
	return name
}

// labels remembers the text of namespaces and cgroups in the format of a listing: a host has few of them, and asking
// may take system calls.
type labels struct {
	names   HostNames
	format  Format
	netns   map[uint32][]byte
	cgroups map[uint64]*cgroupLabel
}

// cgroupLabel is the text of a cgroup.
type cgroupLabel struct {
	fields    []byte // in JSON and CSV: id, path and container
	path      []byte // in a table: path, or id
	container []byte // likewise: id, or -
}

func newLabels(o *ListOptions) labels {
	return labels{names: o.Names, format: o.Format, netns: map[uint32][]byte{}, cgroups: map[uint64]*cgroupLabel{}}
}

// namespace returns the text of a network namespace: in JSON and CSV its number and name, in a table one of the two.
func (l *labels) namespace(inode uint32) []byte {
	text, ok := l.netns[inode]
	if !ok {
		text = l.newNamespace(inode)
		l.netns[inode] = text
	}
	return text
}

func (l *labels) newNamespace(inode uint32) []byte {
	var name string
	if l.names.NetNS != nil {
		name = l.names.NetNS(inode)
	}
	number := appendUint(nil, uint64(inode))
	switch {
	case l.format == JSON:
		return appendJSONText(append(number, `,"netns_name":`...), name)
	case l.format == CSV:
		return appendCSVText(append(number, ','), []byte(name))
	case name != "":
		return appendPrintable(nil, []byte(name))
	}
	return number
}

// cgroup returns the text of a cgroup.
func (l *labels) cgroup(id uint64) *cgroupLabel {
	label, ok := l.cgroups[id]
	if !ok {
		label = l.newCgroup(id)
		l.cgroups[id] = label
	}
	return label
}

func (l *labels) newCgroup(id uint64) *cgroupLabel {
	var path, container string
	if l.names.Cgroup != nil && id != 0 {
		path = l.names.Cgroup(id)
	}
	if l.names.Container != nil && id != 0 {
		container = l.names.Container(id)
	}
	switch l.format {
	case JSON:
		b := appendJSONText(append(appendJSONCount(nil, id), `,"cgroup_path":`...), path)
		return &cgroupLabel{fields: appendJSONText(append(b, `,"container":`...), container)}
	case CSV:
		b := appendCSVText(append(appendCSVCount(nil, id), ','), []byte(path))
		return &cgroupLabel{fields: appendCSVText(append(b, ','), []byte(container))}
	}
	label := &cgroupLabel{path: appendPrintable(nil, []byte(path)), container: appendPrintable(nil, []byte(container))}
	if path == "" {
		label.path = appendOrDash(nil, id)
	}
	if container == "" {
		label.container = append(label.container, '-')
	}
	return label
}
