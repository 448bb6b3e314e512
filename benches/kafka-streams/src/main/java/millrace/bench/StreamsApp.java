package millrace.bench;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Runs the topology of a pipeline until SIGTERM, and logs the same two lines as Millrace: that it runs, and what it has
 * done.
 */
final class StreamsApp {
    static void run(Options options) throws InterruptedException {
        Topology topology = Compared.named(options.text("pipeline")).topology();
        TimedClients clients = new TimedClients();
        RestoreWatch restore = new RestoreWatch();
        KafkaStreams streams = new KafkaStreams(topology, settings(options), clients);
        streams.setGlobalStateRestoreListener(restore);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) log("\"message\":\"running\"," + restore.fields());
        });
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            // Leaves the group, so that the next run needn't wait until its session is over.
            var leave = CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP);
            streams.close(leave.withTimeout(Duration.ofSeconds(30)));
            log("\"message\":\"stopped\"," + clients.fields() + "," + restore.fields());
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }

    private static Properties settings(Options options) {
        Properties settings = options.client();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.text("group"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.number("threads"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.number("commit-ms"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 10 << 20);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.text("state"));
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        return settings;
    }

    private static void log(String fields) {
        System.err.println("{" + fields + "}");
    }

    private StreamsApp() {}
}
