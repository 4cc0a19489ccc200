package kernel

//go:generate go tool bpf2go -target bpfel -cc clang-19 -strip llvm-strip-19 -type ring -type slot -type record -type closing_record -type evidence -type reason -type record_flags -type stack -type stack_call -type new_program -type durations bpf ../../bpf/tcptrail.bpf.c -- -O2 -g -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter
//go:generate go tool bpf2go -target bpfel -cc clang-19 -strip llvm-strip-19 -type row_kind -type row_flags -type row_timer -type namespace_way -type socket_row -type full_row -type holder_row -type namespace_row snapshot ../../bpf/snapshot.bpf.c -- -O2 -g -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter
