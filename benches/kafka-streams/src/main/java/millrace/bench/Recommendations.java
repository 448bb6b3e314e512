package millrace.bench;

import java.util.List;

/** {@code pipelines/recommendations.toml}. */
final class Recommendations implements Pipeline {
    static final String EVENTS = Activity.EVENTS;
    static final String VIEWS = "bss.product.views";
    static final String RECOMMENDATIONS = "bss.recommendations";
    static final String TRENDING = "bss.products.trending";

    @Override
    public List<String> input() {
        return List.of(EVENTS, VIEWS);
    }

    @Override
    public List<String> results() {
        return List.of(RECOMMENDATIONS, TRENDING);
    }

    @Override
    public Feed feed(int rate, int total) {
        return new ViewsFeed(rate, total);
    }
}
