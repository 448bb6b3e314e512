package millrace.bench;

import java.util.Arrays;

/** Milliseconds that results of a topic took. */
final class Latencies {
    private long[] millis = new long[1024];
    private int measured;
    private int results;

    /** A result that isn't measured. */
    void count() {
        results++;
    }

    void add(long latency) {
        if (measured == millis.length) millis = Arrays.copyOf(millis, 2 * measured);
        millis[measured++] = latency;
        results++;
    }

    /** All results so far. */
    int results() {
        return results;
    }

    /** A line with the percentiles. */
    String line(String topic) {
        if (measured == 0) throw new IllegalStateException("no result of " + topic + " is measured");
        long[] sorted = Arrays.copyOf(millis, measured);
        Arrays.sort(sorted);
        return "{\"topic\":\"%s\",\"results\":%d,\"p50_ms\":%d,\"p95_ms\":%d,\"p99_ms\":%d,\"max_ms\":%d}".formatted(
            topic, measured, at(sorted, 0.5), at(sorted, 0.95), at(sorted, 0.99), at(sorted, 1));
    }

    private static long at(long[] sorted, double share) {
        return sorted[(int) (share * (sorted.length - 1))];
    }
}
