package millrace.bench;

/**
 * The orders pipeline in Kafka Streams, and the tools around it. Results are JSON objects on standard output, one a
 * line; the log goes to standard error.
 */
public final class Main {
    private static final String USAGE = """
        usage: COMMAND --bootstrap HOST:PORT [--name value]...
          streams  the orders pipeline until SIGTERM: --state DIR, --threads N, --commit-ms MS
          topics   deletes all topics but those kept, and all groups; then creates: --create A,B, --keep A,B
          warm-up  transactions on the topics of the pipeline, for the broker to get warm
          load     pairs of records with old timestamps: --pairs N, --seed S
          lag      waits until a group has committed a load: --group G
          live     pairs at a steady rate, and how long each result takes: --rate R, --warm-up S, --seconds S
          results  a digest of the committed result of each order: --pairs N, --out FILE
        """;

    public static void main(String[] argv) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        String command = argv.length == 0 ? "" : argv[0];
        Options options = new Options(argv);
        switch (command) {
            case "streams" -> StreamsApp.run(options);
            case "topics" -> Topics.reset(options);
            case "warm-up" -> WarmUp.run(options);
            case "load" -> Load.run(options);
            case "lag" -> Lag.run(options);
            case "live" -> Live.run(options);
            case "results" -> Results.run(options);
            default -> {
                System.err.print(USAGE);
                System.exit(2);
            }
        }
    }

    private Main() {}
}
