package millrace.bench;

import java.util.List;

/** A pipeline that is measured: its topics, and its input at a steady rate. */
interface Pipeline {
    /** The harness knows the pipelines by the same names. */
    static Pipeline named(String name) {
        return switch (name) {
            case "orders" -> new Orders();
            case "fraud" -> new Fraud();
            case "recommendations" -> new Recommendations();
            case "pricing" -> new Pricing();
            case "activity" -> new Activity();
            default -> throw new IllegalArgumentException("no pipeline is called " + name);
        };
    }

    /** The topics that it reads and others write. */
    List<String> input();

    /** The topics with the results that are measured. */
    List<String> results();

    /** Other topics that it writes. */
    default List<String> others() {
        return List.of();
    }

    /** Input at a rate: {@code total} units, an order or a single record each. */
    Feed feed(int rate, int total);
}
