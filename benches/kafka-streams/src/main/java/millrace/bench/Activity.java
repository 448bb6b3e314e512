package millrace.bench;

import java.util.List;

/** {@code pipelines/customer-activity.toml}. */
final class Activity implements Pipeline {
    static final String EVENTS = "bss.customer.events";
    static final String AGGREGATED = "bss.customer.activity.aggregated";
    static final String SESSIONS = "bss.customer.sessions";

    @Override
    public List<String> input() {
        return List.of(EVENTS);
    }

    @Override
    public List<String> results() {
        return List.of(AGGREGATED, SESSIONS);
    }

    @Override
    public Feed feed(int rate, int total) {
        return new ActivityFeed(rate, total);
    }
}
