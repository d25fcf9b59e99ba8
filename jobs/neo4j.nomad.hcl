# Neo4j: the graph store, of the social service. Runs one Neo4j Community server on Java 17, with its Browser.
# Data: data_dir/db.
# Secrets: Nomad Variable nomad/jobs/neo4j, item neo4j_password, set before the first start; the Community edition has
# the one user neo4j and no roles.

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
  description = "Absolute path of the folder with Neo4j's jars."
}

variable "cds_archive" {
  type        = string
  default     = ""
  description = "Absolute path of a class data archive made from the same Java and jars, empty for none."
}

variable "port_bolt" {
  type        = number
  description = "Port of Bolt, Neo4j's protocol."
}

variable "port_http" {
  type        = number
  description = "Port of the HTTP API and the Neo4j Browser."
}

variable "cpu" {
  type        = number
  default     = 300
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 448
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 640
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "neo4j" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "Neo4j, for the social service. Graphs are in `${var.data_dir}`."
    link {
      label = "Neo4j Browser"
      url   = "http://127.0.0.1:${var.port_http}/browser/"
    }
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

  group "neo4j" {
    network {
      port "bolt" {
        static = var.port_bolt
      }
      port "http" {
        static = var.port_http
      }
    }

    service {
      name = "neo4j"
      port = "bolt"

      # Bolt's handshake and HELLO, which need no login.
      check {
        name     = "neo4j answers"
        type     = "script"
        task     = "neo4j"
        command  = var.perl
        args     = [var.probe, "bolt", "127.0.0.1", "${var.port_bolt}"]
        interval = "2s"
        timeout  = "5s"
        check_restart {
          limit = 3
          grace = "120s"
        }
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

    task "neo4j" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", "/bin/sh", "local/start.sh"]
      }

      env {
        DATA_DIR    = var.data_dir
        JAVA        = var.java
        LIB         = var.lib
        CDS_ARCHIVE = var.cds_archive
      }

      template {
        destination = "local/start.sh"
        change_mode = "restart"
        data        = <<-EOT
          set -eu
          mkdir -p "$DATA_DIR" local/home
          export NEO4J_HOME="$NOMAD_TASK_DIR/home"
          set -- @local/jvm.options
          [ -z "$CDS_ARCHIVE" ] || set -- "$@" -XX:SharedArchiveFile="$CDS_ARCHIVE"

          configure() { # the data folder → a folder for its neo4j.conf
            export NEO4J_CONF="$NOMAD_TASK_DIR/$2"
            mkdir -p "$NEO4J_CONF"
            cat local/neo4j.conf - > "$NEO4J_CONF/neo4j.conf" <<END
          server.directories.data=$1
          END
          }

          # Made aside, then renamed: a kill in between leaves nothing that looks like a database without a password.
          if [ ! -d "$DATA_DIR/db" ]; then
            rm -rf "$DATA_DIR"/db.new.* || true
            new=$(mktemp -d "$DATA_DIR/db.new.XXXXXX")
            configure "$new" conf.new
            # The password is in a file of arguments, so that no process list shows it.
            "$JAVA" "$@" -cp "$LIB/*" org.neo4j.cli.AdminTool "@$NOMAD_SECRETS_DIR/initial-password"
            mv "$new" "$DATA_DIR/db"
          fi

          configure "$DATA_DIR/db" conf
          exec "$JAVA" "$@" -cp "$LIB/*" org.neo4j.server.CommunityEntryPoint \
            --home-dir="$NEO4J_HOME" --config-dir="$NEO4J_CONF" --console-mode
        EOT
      }

      template {
        destination = "secrets/initial-password"
        perms       = "0600"
        change_mode = "noop" # It matters for new data only.
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/neo4j" -}}
          dbms set-initial-password -- {{ .neo4j_password }}
          {{- end }}
        EOT
      }

      template {
        destination = "local/jvm.options"
        change_mode = "restart"
        data        = <<-EOT
          -Xms64m
          -Xmx384m
          -Xss1m
          -XX:+UseSerialGC
          -XX:TieredStopAtLevel=1
          -XX:+ExitOnOutOfMemoryError
          -XX:-OmitStackTraceInFastThrow
          -XX:+PerfDisableSharedMem
          -Xshare:auto
          -Djdk.nio.maxCachedBufferSize=1024
          -Dio.netty.tryReflectionSetAccessible=true
          -Dlog4j2.disable.jmx=true
          -Dfile.encoding=UTF-8
          -Djava.awt.headless=true
          --add-opens=java.base/java.nio=ALL-UNNAMED
          --add-opens=java.base/java.io=ALL-UNNAMED
          --add-opens=java.base/sun.nio.ch=ALL-UNNAMED
        EOT
      }

      template {
        destination = "local/neo4j.conf"
        change_mode = "restart"
        data        = <<-EOT
          server.default_listen_address=127.0.0.1
          server.bolt.listen_address=127.0.0.1:${var.port_bolt}
          server.bolt.advertised_address=127.0.0.1:${var.port_bolt}
          server.bolt.tls_level=DISABLED
          server.http.listen_address=127.0.0.1:${var.port_http}
          server.http.advertised_address=127.0.0.1:${var.port_http}
          server.https.enabled=false
          server.directories.logs={{ env "NOMAD_TASK_DIR" }}/log
          server.directories.run={{ env "NOMAD_TASK_DIR" }}/run
          dbms.security.auth_enabled=true
          dbms.usage_report.enabled=false
          server.memory.pagecache.size=32m
          db.tx_log.rotation.size=8m
          db.tx_log.rotation.retention_policy=1 files
          db.tx_log.preallocate=false
          db.logs.query.enabled=OFF
          # A stop takes 4 s with these, 11 s without.
          db.shutdown_transaction_end_timeout=1s
          internal.server.bolt.thread_pool_shutdown_wait_time=1s
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
  }
}
