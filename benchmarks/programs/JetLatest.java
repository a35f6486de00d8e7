// Hazelcast Jet, as its users would write it: lines of files into a map that keeps the newest per vehicle.
//
//     java -cp hazelcast.jar:. JetLatest DIRECTORY ANSWER THREADS

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.jet.config.JobConfig;
import com.hazelcast.jet.config.ProcessingGuarantee;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.pipeline.Sinks;
import com.hazelcast.jet.pipeline.Sources;
import com.hazelcast.map.IMap;

import java.io.BufferedWriter;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;

public class JetLatest {
    public static class Ping implements Serializable {
        final String vin;
        final double latitude;
        final double longitude;
        final double time;

        Ping(String line) {
            String[] fields = line.split(",");
            vin = fields[0];
            latitude = Double.parseDouble(fields[1]);
            longitude = Double.parseDouble(fields[2]);
            time = Double.parseDouble(fields[3]);
        }

        String getVin() {
            return vin;
        }
    }

    public static void main(String[] args) throws Exception {
        Config config = new Config();
        config.setProperty("hazelcast.logging.type", "none");
        config.setProperty("hazelcast.phone.home.enabled", "false");
        config.setProperty("hazelcast.socket.bind.any", "false");
        config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
        config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
        config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
        config.getJetConfig().setEnabled(true).setCooperativeThreadCount(Integer.parseInt(args[2]));
        HazelcastInstance instance = Hazelcast.newHazelcastInstance(config);
        try {
            Pipeline pipeline = Pipeline.create();
            pipeline.readFrom(Sources.filesBuilder(args[0]).glob("*.csv").build())
                    .map(Ping::new)
                    .writeTo(Sinks.<Ping, String, Ping>mapWithMerging("vehicles", Ping::getVin, ping -> ping,
                            (old, ping) -> ping.time > old.time ? ping : old));
            JobConfig job = new JobConfig()
                    .setProcessingGuarantee(ProcessingGuarantee.AT_LEAST_ONCE)
                    .setSnapshotIntervalMillis(10_000);
            instance.getJet().newJob(pipeline, job).join();
            IMap<String, Ping> vehicles = instance.getMap("vehicles");
            try (BufferedWriter answer = Files.newBufferedWriter(Path.of(args[1]))) {
                for (Ping ping : vehicles.values()) {
                    answer.write(ping.vin + "," + ping.latitude + "," + ping.longitude + "," + ping.time + "\n");
                }
            }
        } finally {
            instance.shutdown();
        }
    }
}
