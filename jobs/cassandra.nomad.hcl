# Cassandra: the wide-row store, of the analytics service. Runs one Cassandra server, single node, on Java 17, and
# after each new allocation a short task that makes its roles and keyspace.
# Data: data_dir. Every write is flushed to the commit log's disk before it is acknowledged.
# Secrets: Nomad Variable nomad/jobs/cassandra, items admin_password and analytics_password.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "data_dir" {
  type        = string
  description = "Absolute path of this job's own data folder; it outlives the job."
}

variable "perl" {
  type        = string
  default     = "/usr/bin/perl"
  description = "Absolute path of perl (Debian's perl-base is enough)."
}

variable "probe" {
  type        = string
  description = "Absolute path of jobs/probe.pl, the health check."
}

variable "java" {
  type        = string
  description = "Absolute path of a Java 17."
}

variable "lib" {
  type        = string
  description = "Absolute path of the folder with Cassandra's jars."
}

variable "cds_archive" {
  type        = string
  default     = ""
  description = "Absolute path of a class data archive made from the same Java and jars, empty for none."
}

variable "port" {
  type        = number
  description = "Port of CQL, Cassandra's protocol."
}

variable "storage_port" {
  type        = number
  description = "Port between Cassandra nodes."
}

variable "ssl_storage_port" {
  type        = number
  description = "Port between Cassandra nodes with TLS; configured, not opened."
}

variable "node" {
  type        = string
  description = "Absolute path of node, for the provisioning."
}

variable "provision_url" {
  type        = string
  description = "URL of the bundle of jobs/provision/cassandra.ts."
}

variable "provision_digest" {
  type        = string
  description = "SHA-256 of that bundle in hexadecimal."
}

variable "cpu" {
  type        = number
  default     = 300
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 512
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 832
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "cassandra" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "Cassandra, for the analytics service. Its files are in `${var.data_dir}`."
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "5m"
    progress_deadline = "6m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "cassandra" {
    network {
      port "cql" {
        static = var.port
      }
      port "storage" {
        static = var.storage_port
      }
      port "ssl_storage" {
        static = var.ssl_storage_port
      }
    }

    service {
      name = "cassandra"
      port = "cql"

      # CQL's OPTIONS request, which needs no login.
      check {
        name     = "cassandra answers"
        type     = "script"
        task     = "cassandra"
        command  = var.perl
        args     = [var.probe, "cassandra", "127.0.0.1", "${var.port}"]
        interval = "2s"
        timeout  = "5s"
        check_restart {
          limit = 3
          grace = "120s"
        }
      }

      # Ready once the roles are made; making them again is not a reason to restart.
      check {
        name     = "cassandra roles made"
        type     = "script"
        task     = "cassandra"
        command  = "/usr/bin/test"
        args     = ["-f", "../alloc/data/provisioned"] # From the task's folder; a check knows no NOMAD_ALLOC_DIR.
        interval = "2s"
        timeout  = "5s"
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 100
    }

    task "cassandra" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "30s" # It drains for up to 9 s.

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", "/bin/sh", "local/start.sh"]
      }

      env {
        DATA_DIR    = var.data_dir
        SETPRIV     = var.setpriv
        JAVA        = var.java
        LIB         = var.lib
        CDS_ARCHIVE = var.cds_archive
      }

      template {
        destination = "local/start.sh"
        change_mode = "restart"
        data        = <<-EOT
          set -eu
          mkdir -p "$DATA_DIR" local/tmp local/log
          set -- "$JAVA" @local/jvm.options
          [ -z "$CDS_ARCHIVE" ] || set -- "$@" -XX:SharedArchiveFile="$CDS_ARCHIVE"
          # Relative URLs, so that a space in the path of this folder needs no escape.
          set -- "$@" -Dcassandra.config=file:local/cassandra.yaml -Dlogback.configurationFile=local/logback.xml \
            -Dcassandra.storagedir="$DATA_DIR" -Dcassandra.logdir=local/log -Dcassandra-foreground=yes \
            -Djava.io.tmpdir=local/tmp -Djna.tmpdir=local/tmp \
            -cp "$LIB/*" org.apache.cassandra.service.CassandraDaemon
          # With the right to lock memory, which root has, Cassandra would pin its whole heap.
          [ "$(id -u)" != 0 ] || set -- "$SETPRIV" --bounding-set -ipc_lock --inh-caps -ipc_lock --pdeathsig KILL -- "$@"
          exec "$@"
        EOT
      }

      template {
        destination = "local/jvm.options"
        change_mode = "restart"
        data        = <<-EOT
          -Xms96m
          -Xmx512m
          -Xss512k
          -XX:+UseSerialGC
          -XX:TieredStopAtLevel=1
          -XX:MaxDirectMemorySize=256m
          -XX:+PerfDisableSharedMem
          -XX:+ExitOnOutOfMemoryError
          -Xshare:auto
          -Djava.net.preferIPv4Stack=true
          -Djdk.attach.allowAttachSelf=true
          -Dio.netty.tryReflectionSetAccessible=true
          # A single node has nobody to wait for.
          -Dcassandra.skip_wait_for_gossip_to_settle=0
          -Dcassandra.ring_delay_ms=0
          -Dcassandra.superuser_setup_delay_ms=0
          -Dcassandra.load_ring_state=false
          -Dcassandra.consistent.rangemovement=false
          -Dcassandra.disable_auth_caches_remote_configuration=true
          -Dcassandra.max_hint_ttl=0
          -Dcassandra.shutdown_announce_in_ms=0
          --add-exports=java.base/jdk.internal.misc=ALL-UNNAMED
          --add-exports=java.base/java.lang.ref=ALL-UNNAMED
          --add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED
          --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED
          --add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED
          --add-exports=java.sql/java.sql=ALL-UNNAMED
          --add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED
          --add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED
          --add-exports=jdk.attach/sun.tools.attach=ALL-UNNAMED
          --add-opens=java.base/java.lang.module=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.loader=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.reflect=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.math=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.module=ALL-UNNAMED
          --add-opens=java.base/jdk.internal.util.jar=ALL-UNNAMED
          --add-opens=java.base/sun.nio.ch=ALL-UNNAMED
          --add-opens=java.base/java.io=ALL-UNNAMED
          --add-opens=java.base/java.nio=ALL-UNNAMED
          --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
          --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED
          --add-opens=java.base/java.lang.reflect=ALL-UNNAMED
          --add-opens=java.base/java.lang=ALL-UNNAMED
          --add-opens=java.base/java.util=ALL-UNNAMED
          --add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED
          --add-opens=jdk.compiler/com.sun.tools.javac=ALL-UNNAMED
        EOT
      }

      template {
        destination = "local/cassandra.yaml"
        change_mode = "restart"
        data        = <<-EOT
          cluster_name: ${var.datacenter}
          partitioner: org.apache.cassandra.dht.Murmur3Partitioner
          num_tokens: 1
          initial_token: "0"
          auto_bootstrap: false
          endpoint_snitch: SimpleSnitch
          dynamic_snitch: false
          seed_provider:
            - class_name: org.apache.cassandra.locator.SimpleSeedProvider
              parameters:
                - seeds: "127.0.0.1:${var.storage_port}"
          listen_address: 127.0.0.1
          rpc_address: 127.0.0.1
          start_native_transport: true
          native_transport_port: ${var.port}
          storage_port: ${var.storage_port}
          ssl_storage_port: ${var.ssl_storage_port}
          authenticator: PasswordAuthenticator
          authorizer: CassandraAuthorizer
          role_manager: CassandraRoleManager
          data_file_directories: [{{ env "DATA_DIR" | printf "%s/data" | toJSON }}]
          commitlog_directory: {{ env "DATA_DIR" | printf "%s/commitlog" | toJSON }}
          saved_caches_directory: {{ env "DATA_DIR" | printf "%s/saved_caches" | toJSON }}
          hints_directory: {{ env "DATA_DIR" | printf "%s/hints" | toJSON }}
          cdc_raw_directory: {{ env "DATA_DIR" | printf "%s/cdc_raw" | toJSON }}
          # Acknowledge after the fsync: periodic sync, the usual choice, loses up to a period of writes at a kill.
          commitlog_sync: batch
          commitlog_segment_size: 4MiB
          commitlog_total_space: 64MiB
          memtable_heap_space: 48MiB
          memtable_offheap_space: 48MiB
          memtable_flush_writers: 1
          memtable_allocation_type: heap_buffers
          key_cache_size: 4MiB
          row_cache_size: 0MiB
          file_cache_size: 32MiB
          networking_cache_size: 16MiB
          concurrent_reads: 8
          concurrent_writes: 8
          concurrent_compactors: 1
          hinted_handoff_enabled: false
          disk_access_mode: mmap_index_only
        EOT
      }

      template {
        destination = "local/logback.xml"
        change_mode = "restart"
        data        = <<-EOT
          <configuration>
            <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
              <encoder><pattern>%-5level %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
            </appender>
            <root level="INFO"><appender-ref ref="STDOUT" /></root>
          </configuration>
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max
      }
    }

    # Makes the roles and the keyspace; a second run changes nothing.
    task "provision" {
      driver = var.driver

      lifecycle {
        hook    = "poststart"
        sidecar = false
      }

      artifact {
        source      = var.provision_url
        destination = "local"
        options {
          checksum = "sha256:${var.provision_digest}"
        }
      }

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", var.node, "local/main.js"]
      }

      env {
        CASSANDRA_PORT = "${var.port}"
        DONE_FILE      = "${NOMAD_ALLOC_DIR}/data/provisioned"
      }

      template {
        destination = "secrets/provision.env"
        perms       = "0600"
        env         = true
        change_mode = "restart"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/cassandra" }}
          ADMIN_PASSWORD={{ .admin_password }}
          ANALYTICS_PASSWORD={{ .analytics_password }}
          {{ end }}
        EOT
      }

      logs {
        max_files     = 2
        max_file_size = 1
      }

      resources {
        cpu    = 50
        memory = 96
      }
    }
  }
}
