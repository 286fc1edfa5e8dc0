// The one program of the recorded sessions' images: changes files, with data of ztwin's frozen
// generator (version 1, model/src/dmu/data.rs), so that a recorded write is a name, not bytes.
//
//   gcc -Os -static -nostdlib -ffreestanding -fno-stack-protector -mno-sse -o actor actor.c
//
//   actor put PATH SOURCE LEN       write LEN bytes into PATH from its start; PATH is made or emptied first
//   actor append PATH SOURCE LEN    write LEN bytes behind the end of PATH
//   actor over PATH OFF SOURCE LEN  write LEN bytes at OFF into PATH, which must exist
//   actor cut PATH SIZE             truncate (or extend) PATH
//   actor rm PATH | mkdir PATH | rmdir PATH | mv OLD NEW | ln OLD NEW | symlink TARGET PATH
//   actor chmod MODE PATH | sleep SECONDS
//
// SOURCE is zero, random:SEED or text:SEED; LEN, OFF and SIZE take K and M. Several commands in one
// call are separated by the word +. The first one that fails ends the program with its errno as exit
// code. No libc: the image that holds it needs nothing else.

typedef unsigned long u64;
typedef unsigned char u8;

static long sys(long n, long a, long b, long c, long d) {
    long r;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return r;
}

enum { WRITE = 1, OPEN = 2, CLOSE = 3, PWRITE = 18, NANOSLEEP = 35, EXIT = 60, TRUNCATE = 76,
       RENAME = 82, MKDIR = 83, RMDIR = 84, LINK = 86, UNLINK = 87, SYMLINK = 88, CHMOD = 90, LSEEK = 8 };
enum { O_WRONLY = 1, O_CREAT = 0100, O_TRUNC = 01000, SEEK_END = 2, EINVAL = 22 };

static void leave(long errno) {
    for (;;) sys(EXIT, errno, 0, 0, 0);
}

static int same(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static u64 number(const char *s, unsigned base) {
    u64 n = 0;
    while (*s >= '0' && *s < '0' + (int)base) n = n * base + (u64)(*s++ - '0');
    if (*s == 'K') n <<= 10, s++;
    else if (*s == 'M') n <<= 20, s++;
    if (*s) leave(EINVAL);
    return n;
}

// The generator, version 1, byte for byte as in model/src/dmu/data.rs.
static const char phrases[16][17] = {
    "every block has ", "a birth of its  ", "own, and no one\n", "writes it twice ",
    "the tree above  ", "it is new again ", "from leaf to the", " root each time\n",
    "snapshots cost  ", "nothing but what", " later changes, ", "clones even less",
    "; a hole is not ", "a block, it has\n", "no place on disk", " and reads zero\n",
};

static u64 mix(u64 w) {
    w = (w ^ (w >> 30)) * 0xbf58476d1ce4e5b9;
    w = (w ^ (w >> 27)) * 0x94d049bb133111eb;
    return w ^ (w >> 31);
}

static u64 word(u64 seed, u64 index) {
    return mix(mix(seed) + (index + 1) * 0x9e3779b97f4a7c15);
}

enum { ZERO, RANDOM, TEXT };

static u8 byte(int kind, u64 seed, u64 at) {
    if (kind == ZERO) return 0;
    if (kind == RANDOM) return (u8)(word(seed, at / 8) >> (at % 8 * 8));
    return (u8)phrases[word(seed, at / 16) >> 60][at % 16];
}

static long put(long fd, u64 off, const char *source, u64 len) {
    static u8 buf[4096];
    int kind;
    u64 seed = 0;
    if (same(source, "zero")) kind = ZERO;
    else if (source[0] == 'r') kind = RANDOM, seed = number(source + 7, 10);
    else kind = TEXT, seed = number(source + 5, 10);
    for (u64 at = 0; at < len;) {
        u64 n = len - at < sizeof buf ? len - at : sizeof buf;
        for (u64 i = 0; i < n; i++) buf[i] = byte(kind, seed, at + i);
        long r = sys(PWRITE, fd, (long)buf, (long)n, (long)(off + at));
        if (r <= 0) return r ? r : -5;
        at += (u64)r;
    }
    return sys(CLOSE, fd, 0, 0, 0);
}

static long one(char **v, int n) {
    const char *c = v[0];
    if (n == 4 && same(c, "put")) {
        long fd = sys(OPEN, (long)v[1], O_WRONLY | O_CREAT | O_TRUNC, 0644, 0);
        return fd < 0 ? fd : put(fd, 0, v[2], number(v[3], 10));
    }
    if (n == 4 && same(c, "append")) {
        long fd = sys(OPEN, (long)v[1], O_WRONLY, 0, 0);
        return fd < 0 ? fd : put(fd, (u64)sys(LSEEK, fd, 0, SEEK_END, 0), v[2], number(v[3], 10));
    }
    if (n == 5 && same(c, "over")) {
        long fd = sys(OPEN, (long)v[1], O_WRONLY, 0, 0);
        return fd < 0 ? fd : put(fd, number(v[2], 10), v[3], number(v[4], 10));
    }
    if (n == 3 && same(c, "cut")) return sys(TRUNCATE, (long)v[1], (long)number(v[2], 10), 0, 0);
    if (n == 2 && same(c, "rm")) return sys(UNLINK, (long)v[1], 0, 0, 0);
    if (n == 2 && same(c, "mkdir")) return sys(MKDIR, (long)v[1], 0755, 0, 0);
    if (n == 2 && same(c, "rmdir")) return sys(RMDIR, (long)v[1], 0, 0, 0);
    if (n == 3 && same(c, "mv")) return sys(RENAME, (long)v[1], (long)v[2], 0, 0);
    if (n == 3 && same(c, "ln")) return sys(LINK, (long)v[1], (long)v[2], 0, 0);
    if (n == 3 && same(c, "symlink")) return sys(SYMLINK, (long)v[1], (long)v[2], 0, 0);
    if (n == 3 && same(c, "chmod")) return sys(CHMOD, (long)v[2], (long)number(v[1], 8), 0, 0);
    if (n == 2 && same(c, "sleep")) {
        long t[2] = {(long)number(v[1], 10), 0};
        return sys(NANOSLEEP, (long)t, 0, 0, 0);
    }
    return -EINVAL;
}

__attribute__((used)) static void run(long *stack) {
    int n = (int)stack[0];
    char **v = (char **)(stack + 1);
    for (int i = 1; i < n;) {
        int end = i;
        while (end < n && !same(v[end], "+")) end++;
        long r = one(v + i, end - i);
        if (r < 0) leave(-r);
        i = end + 1;
    }
    leave(0);
}

__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call run\n hlt\n");
