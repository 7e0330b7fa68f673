/* Moves CLOCK_REALTIME, and no other clock, of the process that has this loaded (LD_PRELOAD): by as many seconds as the
   eight octets of the file say that CLOCK_MOVED_BY names, at once and while it runs. */
typedef long long octets8;
struct timespec { long tv_sec, tv_nsec; };
struct timeval { long tv_sec, tv_usec; };
enum { REALTIME = 0, REALTIME_COARSE = 5, READ = 1, SHARED = 1, CLOSE_ON_EXEC = 02000000 };
extern char *getenv(const char *);
extern int open(const char *, int, ...), close(int);
extern void *dlsym(void *, const char *), *mmap(void *, unsigned long, int, int, int, long);

static volatile octets8 none = 0, *moved = &none;
static int (*real)(int, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_MOVED_BY");
    int file = path ? open(path, CLOSE_ON_EXEC) : -1;
    real = (int (*)(int, struct timespec *))dlsym((void *)-1L, "clock_gettime");
    if (file < 0) return;
    void *page = mmap(0, sizeof *moved, READ, SHARED, file, 0);
    if (page != (void *)-1L) moved = page;
    close(file);
}

int clock_gettime(int clock, struct timespec *now) {
    if (!real) real = (int (*)(int, struct timespec *))dlsym((void *)-1L, "clock_gettime");
    int status = real(clock, now);
    if (!status && (clock == REALTIME || clock == REALTIME_COARSE)) now->tv_sec += *moved;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec fine;
    (void)zone;
    if (clock_gettime(REALTIME, &fine)) return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

long time(long *place) {
    struct timespec fine;
    clock_gettime(REALTIME, &fine);
    if (place) *place = fine.tv_sec;
    return fine.tv_sec;
}
