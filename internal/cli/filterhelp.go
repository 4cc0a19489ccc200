package cli

// filterHelp is what every command says of FILTER.
const filterHelp = `FILTER is ss's language, and more of it:
  state close-wait, exclude listening     states and groups, as in ss; zombie
  src 10/8, dst [::1]:443, dst web:https  addresses, networks, hosts, ports
  sport = :http, dport gt 1024            = != lt gt le ge, or their signs, quoted
  dev eth0, fwmark 1/0xff, autobound      and what else ss has
  pid 42, comm 'php*', exe nginx, uid www owner or any holder
  netns blue, cgroup /system.slice        where
  age gt 5m, recvq gt 0, sendq gt 64K     how long, how much
  and or not ( )                          next to each other means and`
